#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes a watch in protobuf apart: frames.py FILE DIRECTORY writes the message
of each whole frame to DIRECTORY/N and prints how many there are. A frame is a
length of four bytes, the highest first, and that many bytes."""
import struct
import sys

data = open(sys.argv[1], "rb").read()
at = count = 0
while len(data) - at >= 4:
    (size,) = struct.unpack_from(">I", data, at)
    if len(data) - at - 4 < size:
        break
    with open(f"{sys.argv[2]}/{count}", "wb") as frame:
        frame.write(data[at + 4 : at + 4 + size])
    at += 4 + size
    count += 1
print(count)
