#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes the seeds of fuzz-data: one small file of every kind; the first byte
# says which.
import gzip
import os
import struct

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'data')
os.makedirs(folder, exist_ok=True)


def save(name, kind, body):
    with open(os.path.join(folder, name), 'wb') as file:
        file.write(bytes([kind]) + body)


def idx(pictures, classes):
    return struct.pack('<I', len(pictures)) + pictures + classes


def mix(state, word):
    state = (state ^ word) * 0x9e3779b97f4a7c15 % 2**64
    return state ^ state >> 29


def checksum(data, seed):
    sums = [seed + i for i in range(4)]
    whole = len(data) // 32 * 32
    for at in range(0, whole, 32):
        for i, word in enumerate(struct.unpack_from('<4Q', data, at)):
            sums[i] = mix(sums[i], word)
    for byte in data[whole:]:
        sums[0] = mix(sums[0], byte)
    result = len(data)
    for i in range(4):
        result = mix(result, sums[i])
    return result


def cache(pixels, notes):
    header = b'forge-decoded 1\0' + b'0123456789abcdef' * 4
    header += struct.pack('<QQQ', len(pixels), len(notes), checksum(notes, checksum(pixels, 1)))
    header += struct.pack('<Q', checksum(header, 0))
    room = (len(pixels) + 127) // 64 * 64
    return header.ljust(4096, b'\0') + pixels.ljust(room, b'\0') + notes


pictures = struct.pack('>IIII', 0x803, 2, 3, 4) + bytes(range(24))
classes = struct.pack('>II', 0x801, 2) + bytes([9, 0])
save('cifar10', 0, bytes([7]) + bytes(i % 256 for i in range(3072)))
save('cifar10-short', 0, bytes([7]) + bytes(3071))
save('idx', 1, idx(pictures, classes))
save('idx-gzip', 2, idx(gzip.compress(pictures, mtime=0), classes))
save('labels', 3, b'[0, 9, 5]')
save('cache', 4, cache(bytes(range(192)), struct.pack('<I', 0)))
save('cache-empty', 4, cache(b'', b''))
