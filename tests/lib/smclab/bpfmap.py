# SPDX-License-Identifier: Apache-2.0
"""Pinned BPF objects of this machine's kernel, by bpf(2) (linux/bpf.h): reads a
hash map, attaches a program."""
import ctypes
import errno
import os
import struct
import threading

SYS_BPF = 321    # x86-64
OBJ_PIN, OBJ_GET, RAW_TRACEPOINT_OPEN, LOOKUP_BATCH = 6, 7, 17, 24
AT_ONCE = 65536


def _bpf(cmd, attr):
    libc = ctypes.CDLL(None, use_errno=True)
    got = libc.syscall(ctypes.c_long(SYS_BPF), ctypes.c_int(cmd), attr,
                       ctypes.c_uint(len(attr)))
    return got if got >= 0 else -ctypes.get_errno()


def _pinned(cmd, path, fd=0):
    name = ctypes.create_string_buffer(os.fsencode(path))
    got = _bpf(cmd, ctypes.create_string_buffer(
        struct.pack("=QII", ctypes.addressof(name), fd, 0), 16))
    if got < 0:
        raise OSError(-got, os.strerror(-got), path)
    return got


def attach(program, link):
    """Attach the pinned tracing program where it was loaded for, and pin that."""
    prog = _pinned(OBJ_GET, program)
    got = _bpf(RAW_TRACEPOINT_OPEN,
               ctypes.create_string_buffer(struct.pack("=QII", 0, prog, 0), 16))
    if got < 0:
        raise OSError(-got, os.strerror(-got), program)
    _pinned(OBJ_PIN, link, got)
    os.close(got)
    os.close(prog)


class PinnedMap:
    """@key_size and @value_size are the map's own, in bytes."""

    def __init__(self, path, key_size, value_size):
        self.key_size = key_size
        self.fd = _pinned(OBJ_GET, path)
        self.lock = threading.Lock()    # of the buffers
        self.keys_at = ctypes.create_string_buffer(AT_ONCE * key_size)
        self.values_at = ctypes.create_string_buffer(AT_ONCE * value_size)

    def keys(self):
        """The set of its keys. A map of more than AT_ONCE rows is read in parts,
        as the kernel has it: no row that stays is missed."""
        with self.lock:
            return self._keys()

    def _keys(self):
        out, token = set(), ctypes.create_string_buffer(8)
        first = True
        while True:
            attr = ctypes.create_string_buffer(struct.pack(
                "=QQQQIIQQ", 0 if first else ctypes.addressof(token),
                ctypes.addressof(token), ctypes.addressof(self.keys_at),
                ctypes.addressof(self.values_at), AT_ONCE, self.fd, 0, 0), 56)
            err = _bpf(LOOKUP_BATCH, attr)
            if err and err != -errno.ENOENT:
                raise OSError(-err, os.strerror(-err))
            n, = struct.unpack_from("=I", attr, 32)
            size = self.key_size
            raw = ctypes.string_at(self.keys_at, n * size)
            out.update(raw[i:i + size] for i in range(0, n * size, size))
            if err:
                return out
            first = False

    def close(self):
        os.close(self.fd)
