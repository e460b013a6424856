#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes the seeds of fuzz-labels: a table of every form.
import os

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus', 'labels')
os.makedirs(folder, exist_ok=True)


def save(name, text):
    with open(os.path.join(folder, name), 'wb') as file:
        file.write(text.encode('utf-8'))


save('list', 'file,labels\na.png,cat;dog\nb.png,\nc/d.png,dog\ne.png,cat\nf.png,cat;dog\n')
save('long', 'filename,label\r\na.png,cat\r\na.png,dog\r\nb.png,dog\r\n')
save('columns', 'image,cat,dog,split\na.png,1,0,train\nb.png,1,1,train\nc.png,0,0,val\nd.png,0,1,test\n')
save('single', '\ufefffile,class\n"a,b.png",cat\n"""c"".png",dog\n\n"d\ne.png",cat\n')
save('outside', 'file,labels\n../a.png,cat\n/etc/b.png,dog\n')
save('quote', 'file,labels\na.png,"cat\n')
save('video', 'file,tags\na.mp4,cat;dog\nb.png,cat\n')
