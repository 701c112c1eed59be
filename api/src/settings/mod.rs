//! The settings of OS4Xapi. `table` has their rows, `kind` the allowed values of a row, `values` the settings in force,
//! `of_server` those that one server may have for itself. All are plain values; `store` reads and writes the database.

mod kind;
pub(crate) mod of_server;
mod setting;
mod table;
mod values;

pub(crate) use kind::{Kind, yes_no};
pub(crate) use setting::{Setting, SettingError};
pub(crate) use table::{SETTINGS, TOKEN, find};
pub(crate) use values::Values;
