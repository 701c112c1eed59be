//! Partner, station, daemons and test CA for the black-box tests.
#![forbid(unsafe_code)]
