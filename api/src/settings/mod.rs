//! The settings of OS4Xapi. `table` has their rows, `kind` the allowed values of a row, `values` the settings in force.
//! All are plain values; `store::configuration` reads and writes the database.

mod kind;
mod setting;
mod table;
mod values;

pub(crate) use kind::{Kind, yes_no};
pub(crate) use setting::{Setting, SettingError};
pub(crate) use table::{SETTINGS, TOKEN, find};
pub(crate) use values::Values;
