"""Tries what Python makes easy: processes, sockets, ctypes, files, and its own limits."""
import os, sys

escaped = []
def must_fail(name, call):
    try:
        call()
    except BaseException as error:
        print("denied", name, type(error).__name__, error)
    else:
        escaped.append(name)

def thread():
    import threading
    threading.Thread(target=lambda: None).start()
def sock():
    import socket
    socket.socket()
def call():
    import subprocess
    subprocess.run(["/usr/bin/true"])
def system():
    if os.system("true") != 0:
        raise OSError("no shell")
def ctypes_fork():
    import ctypes
    if ctypes.CDLL(None, use_errno=True).fork() < 0:
        raise OSError(ctypes.get_errno())

must_fail("fork", os.fork)
must_fail("subprocess", call)
must_fail("system", system)
must_fail("socket", sock)
must_fail("thread", thread)
must_fail("ctypes", ctypes_fork)
must_fail("write", lambda: open("/w/__pycache__", "w"))
must_fail("library", lambda: open("/usr/lib/python3/sitecustomize.py", "w"))
must_fail("passwd", lambda: open("/etc/passwd"))
must_fail("proc", lambda: os.listdir("/proc"))
must_fail("kill", lambda: os.kill(1, 31))
print("ESCAPED" if escaped else "contained", *escaped)
