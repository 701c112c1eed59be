//! Black-box tests on the real binaries.

#[cfg(test)]
mod startup;
