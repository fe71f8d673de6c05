//! How the program's types stand in a column.

use crate::password::PasswordHash;
use crate::secrets::SecretHash;
use matrix_uia::server::reference::{Reference, UserRef};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// The row of a user. Never reused, so it stays who it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserKey(i64);

impl UserKey {
    /// No row: SQLite counts from 1.
    pub const NOBODY: Self = Self(0);
}

/// A user's row is what the crate knows the user by.
impl From<UserKey> for UserRef {
    fn from(key: UserKey) -> Self {
        Self::new(key.0.cast_unsigned())
    }
}

impl From<UserRef> for UserKey {
    fn from(user: UserRef) -> Self {
        // Every reference here was made of a row's number; row 0 is nobody's.
        Self(user.number().unwrap_or(0).cast_signed())
    }
}

/// And what a call that made or ended a user resulted in.
impl From<UserKey> for Reference {
    fn from(key: UserKey) -> Self {
        Self::new(key.0.cast_unsigned())
    }
}

impl From<Reference> for UserKey {
    fn from(outcome: Reference) -> Self {
        Self(outcome.get().cast_signed())
    }
}

impl ToSql for UserKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for UserKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

impl ToSql for SecretHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_bytes().to_sql()
    }
}

impl FromSql for SecretHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 32]>::column_result(value).map(Self::from_bytes)
    }
}

impl ToSql for PasswordHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.as_str().to_sql()
    }
}

impl FromSql for PasswordHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        String::column_result(value).map(Self::from_stored)
    }
}

/// Enums stand as the names that the rest of the program has for them.
macro_rules! by_name {
    ($type:ty { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(match self { $(Self::$variant => $name),+ }))
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(FromSqlError::InvalidType),
                }
            }
        }
    };
}

by_name!(super::users::Phase {
    Active = "active",
    Deactivating = "deactivating",
    Deactivated = "deactivated",
});
