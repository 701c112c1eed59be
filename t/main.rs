//! Black-box tests on the real binaries.
