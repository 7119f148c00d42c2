"""Names that try to be paths, and names that do not."""

TRAVERSALS = (
    "../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "\\\\server\\share\\x.txt",
    "C:\\boot.ini",
    "c:evil.txt",
    "file:///etc/passwd",
    "....//....//etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%252e%252e%252fetc%252fpasswd",
    "..%5c..%5cboot.ini",
    "..%c0%af..%c0%afetc/passwd",
    "..",
    ".",
    "...",
    ".bashrc",
    ".ssh/authorized_keys",
    "a/../../b.txt",
    "a/./b.txt",
    "name.txt/",
    "name.txt\\",
    "\uff0e\uff0e\uff0fetc\uff0fpasswd",  # full-width dots and slashes
    "..\u2215..\u2215etc",  # division slash
    "..\u2044..\u2044etc",  # fraction slash
    "name\x00.txt",
    "name.txt\n../../x",
    "\u202etxt.exe",  # turns the reading direction
    "x.txt:stream",
    "%00/etc/passwd",
    " ../x",
    "name.txt.",
    "a" * 300,
)
PLAIN = ("photo.png", "Ảnh chụp màn hình.png", "invoice (2).pdf", "100%.txt", "a", "déjà vu.txt", "x" * 200)
