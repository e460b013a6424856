/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The built-in model, byte for byte as gst-forge train wrote it, between two
 * symbols. An assembler directive rather than a C array: the compiler never
 * parses the bytes. FORGE_EMBEDDED_FILE is looked up in the assembler's
 * include path; without it the region is empty. */
  .section .rodata, "a", %progbits
  .globl forge_embedded_start
  .hidden forge_embedded_start
  .globl forge_embedded_end
  .hidden forge_embedded_end
  .balign 64
forge_embedded_start:
#ifdef FORGE_EMBEDDED_FILE
  .incbin FORGE_EMBEDDED_FILE
#endif
forge_embedded_end:
  .byte 0
  .section .note.GNU-stack, "", %progbits
