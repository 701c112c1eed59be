//! Black-box tests on the real binaries.

#[cfg(test)]
mod logging;
#[cfg(test)]
mod startup;
#[cfg(test)]
mod transfer;
