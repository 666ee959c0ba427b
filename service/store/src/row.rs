//! What a read gives back.

use std::fmt;

use crate::fault::StoreFault;
use crate::stmt::Value;

/// One row. Columns are counted from 0, in the order of the SELECT.
#[derive(Clone, PartialEq, Eq)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    /// Column `index` as an integer; NULL and every other type are a fault.
    pub fn int(&self, index: usize) -> Result<i64, StoreFault> {
        self.opt_int(index)?.ok_or(StoreFault::Column { index, wanted: "an integer" })
    }

    /// Column `index` as a text.
    pub fn text(&self, index: usize) -> Result<String, StoreFault> {
        self.opt_text(index)?.ok_or(StoreFault::Column { index, wanted: "a text" })
    }

    /// Column `index` as bytes.
    pub fn blob(&self, index: usize) -> Result<Vec<u8>, StoreFault> {
        self.opt_blob(index)?.ok_or(StoreFault::Column { index, wanted: "bytes" })
    }

    /// Column `index` as bytes of a fixed length.
    pub fn array<const N: usize>(&self, index: usize) -> Result<[u8; N], StoreFault> {
        match self.0.get(index) {
            Some(Value::Blob(bytes)) => bytes.as_slice().try_into().ok(),
            _ => None,
        }
        .ok_or(StoreFault::Column { index, wanted: "bytes of a fixed length" })
    }

    /// Column `index` as a boolean, stored as 0 or 1.
    pub fn bool(&self, index: usize) -> Result<bool, StoreFault> {
        match self.int(index)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StoreFault::Column { index, wanted: "0 or 1" }),
        }
    }

    /// Column `index` as an integer or NULL.
    pub fn opt_int(&self, index: usize) -> Result<Option<i64>, StoreFault> {
        match self.0.get(index) {
            Some(Value::Null) => Ok(None),
            Some(Value::Int(value)) => Ok(Some(*value)),
            _ => Err(StoreFault::Column { index, wanted: "an integer" }),
        }
    }

    /// Column `index` as a text or NULL.
    pub fn opt_text(&self, index: usize) -> Result<Option<String>, StoreFault> {
        match self.0.get(index) {
            Some(Value::Null) => Ok(None),
            Some(Value::Text(value)) => Ok(Some(value.clone())),
            _ => Err(StoreFault::Column { index, wanted: "a text" }),
        }
    }

    /// Column `index` as bytes or NULL.
    pub fn opt_blob(&self, index: usize) -> Result<Option<Vec<u8>>, StoreFault> {
        match self.0.get(index) {
            Some(Value::Null) => Ok(None),
            Some(Value::Blob(value)) => Ok(Some(value.clone())),
            _ => Err(StoreFault::Column { index, wanted: "bytes" }),
        }
    }
}

impl fmt::Debug for Row {
    /// Columns may be personal data: only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({} columns)", self.0.len())
    }
}
