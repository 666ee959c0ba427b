//! A statement: SQL text that is fixed at compile time, and its parameters.
//!
//! One text serves both engines. `$n` becomes `?n` for SQLite (which would number `$n` by first appearance); `:tenant`
//! and `:now` become two parameters behind the caller's own, filled from [`Ctx`](crate::Ctx) and never by the caller.
//! Each text is read once and remembered.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, OnceLock, RwLock};

use crate::fault::StoreFault;

/// Parameters that one statement may have: SQLite takes 32,766, PostgreSQL 65,535; ours have a dozen.
pub const STMT_PARAMETERS_MAX: usize = 99;

/// One statement of a unit or a read. `sql` is static, so no text of a peer can become SQL.
#[derive(Clone)]
pub struct Stmt {
    sql: &'static str,
    values: Vec<Value>,
    effect: Effect,
}

/// What the writer must know when a statement of the store's own has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// It takes rows out of the pending table of the log that is its first parameter.
    SpendsPending,
    /// It changes which logs are open or which keys they have.
    ChangesLogs,
}

impl Stmt {
    /// A statement without parameters yet. `sql` may use `$1`…, `:tenant` and `:now` (Unix milliseconds).
    pub fn new(sql: &'static str) -> Stmt {
        Stmt { sql, values: Vec::new(), effect: Effect::None }
    }

    /// Binds the next `$n` to an integer.
    pub fn int(self, value: i64) -> Stmt {
        self.value(Value::Int(value))
    }

    /// Binds the next `$n` to a text.
    pub fn text(self, value: impl Into<String>) -> Stmt {
        self.value(Value::Text(value.into()))
    }

    /// Binds the next `$n` to bytes.
    pub fn blob(self, value: impl Into<Vec<u8>>) -> Stmt {
        self.value(Value::Blob(value.into()))
    }

    /// Binds the next `$n` to an integer or NULL.
    pub fn opt_int(self, value: Option<i64>) -> Stmt {
        self.value(value.map_or(Value::Null, Value::Int))
    }

    /// Binds the next `$n` to a text or NULL.
    pub fn opt_text(self, value: Option<impl Into<String>>) -> Stmt {
        self.value(value.map_or(Value::Null, |value| Value::Text(value.into())))
    }

    /// Binds the next `$n` to bytes or NULL.
    pub fn opt_blob(self, value: Option<impl Into<Vec<u8>>>) -> Stmt {
        self.value(value.map_or(Value::Null, |value| Value::Blob(value.into())))
    }

    /// Binds the next `$n` to 0 or 1.
    pub fn bool(self, value: bool) -> Stmt {
        self.int(i64::from(value))
    }

    /// The text as the room wrote it.
    pub fn sql(&self) -> &'static str {
        self.sql
    }

    /// Bytes this statement brings to the database: its text and its parameters.
    pub(crate) fn bytes(&self) -> usize {
        self.sql.len() + self.values.iter().map(Value::bytes).sum::<usize>()
    }

    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// Marks a statement of the store's own.
    pub(crate) fn with_effect(mut self, effect: Effect) -> Stmt {
        self.effect = effect;
        self
    }

    pub(crate) fn effect(&self) -> Effect {
        self.effect
    }

    /// The text for the engines, with the number of parameters checked.
    pub(crate) fn template(&self) -> Result<Arc<Template>, StoreFault> {
        let template = Template::of(self.sql)?;
        if template.parameters != self.values.len() {
            return Err(StoreFault::Statement {
                sql: self.sql,
                cause: format!("{} parameters bound, {} named", self.values.len(), template.parameters),
            });
        }
        Ok(template)
    }

    /// The table that it changes; `None` if its text does not begin with that.
    pub(crate) fn table(&self) -> Option<Arc<str>> {
        Template::of(self.sql).ok()?.table.clone()
    }

    fn value(mut self, value: Value) -> Stmt {
        self.values.push(value);
        self
    }
}

impl fmt::Debug for Stmt {
    /// Parameters may be personal data: only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stmt({:?}, {} parameters)", self.sql, self.values.len())
    }
}

/// What a column or a parameter holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Value {
    fn bytes(&self) -> usize {
        match self {
            Value::Null => 1,
            Value::Int(_) => 8,
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
        }
    }
}

/// Templates by address and length of their text.
type Templates = HashMap<(usize, usize), Arc<Template>, BuildHasherDefault<Places>>;

/// A hash for addresses of our own texts, which no stranger chooses.
#[derive(Default)]
struct Places(u64);

impl Hasher for Places {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize((*byte).into()));
    }

    fn write_usize(&mut self, number: usize) {
        // The odd constant of Fibonacci hashing: it spreads low bits, which addresses share, over the high ones.
        self.0 = (self.0.rotate_left(5) ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A statement's text as each engine wants it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// For SQLite, with `?n`.
    pub(crate) sqlite: String,
    /// For PostgreSQL, with `$n`.
    pub(crate) postgres: String,
    /// Highest `$n` of the caller.
    pub(crate) parameters: usize,
    /// Number of the parameter that `:tenant` became.
    pub(crate) tenant: Option<usize>,
    /// Number of the parameter that `:now` became.
    pub(crate) now: Option<usize>,
    /// The table that it changes, where it begins with that.
    pub(crate) table: Option<Arc<str>>,
}

impl Template {
    /// The remembered template of a text.
    pub(crate) fn of(sql: &'static str) -> Result<Arc<Template>, StoreFault> {
        static KNOWN: OnceLock<RwLock<Templates>> = OnceLock::new();
        let known = KNOWN.get_or_init(RwLock::default);
        // The address is a sound key: the text is static, so it is never freed or changed.
        let key = (sql.as_ptr() as usize, sql.len());
        if let Some(template) = known.read().unwrap_or_else(|poison| poison.into_inner()).get(&key) {
            return Ok(template.clone());
        }
        let template = Arc::new(Template::read(sql).map_err(|cause| StoreFault::Statement { sql, cause })?);
        known.write().unwrap_or_else(|poison| poison.into_inner()).insert(key, template.clone());
        Ok(template)
    }

    /// Reads a text: finds parameters outside of literals, quoted names and comments.
    pub(crate) fn read(sql: &str) -> Result<Template, String> {
        let pieces = pieces(sql)?;
        let mut named = [false; STMT_PARAMETERS_MAX + 1];
        for piece in &pieces {
            if let Piece::Number(number) = piece {
                named[*number] = true;
            }
        }
        let parameters = named.iter().rposition(|seen| *seen).unwrap_or(0);
        if let Some(gap) = (1..=parameters).find(|number| !named[*number]) {
            return Err(format!("${gap} is not used, ${parameters} is"));
        }
        let tenant = pieces.contains(&Piece::Tenant).then_some(parameters + 1);
        let now = pieces.contains(&Piece::Now).then_some(parameters + 1 + usize::from(tenant.is_some()));
        let render = |mark: char| {
            let mut text = String::with_capacity(sql.len() + 8);
            for piece in &pieces {
                let number = match piece {
                    Piece::Text(part) => {
                        text.push_str(part);
                        continue;
                    }
                    Piece::Number(number) => *number,
                    Piece::Tenant => tenant.unwrap_or_default(),
                    Piece::Now => now.unwrap_or_default(),
                };
                text.push(mark);
                text.push_str(&number.to_string());
            }
            text
        };
        Ok(Template {
            sqlite: render('?'),
            postgres: render('$'),
            parameters,
            tenant,
            now,
            table: changed(sql),
        })
    }
}

/// The table of `INSERT INTO t`, `UPDATE t`, `DELETE FROM t`.
fn changed(sql: &str) -> Option<Arc<str>> {
    let mut words = sql
        .split(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
        .filter(|word| !word.is_empty());
    let table = match (words.next()?, words.next()?) {
        ("INSERT", "INTO") | ("DELETE", "FROM") => words.next()?,
        ("UPDATE", table) => table,
        _ => return None,
    };
    Some(table.into())
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Number(usize),
    Tenant,
    Now,
}

/// Cuts a text at its parameters.
fn pieces(sql: &str) -> Result<Vec<Piece<'_>>, String> {
    let bytes = sql.as_bytes();
    let (mut pieces, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let rest = &sql[at..];
        let (piece, length) = match bytes[at] {
            b'\'' | b'"' => {
                at = end_of_quote(bytes, at)?;
                continue;
            }
            b'-' if rest.starts_with("--") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            b'?' | b'@' | b'#' => return Err(format!("`{}` is not portable SQL", char::from(bytes[at]))),
            b':' if rest.starts_with("::") => return Err("`::` is not portable SQL".to_owned()),
            b'$' | b':' => parameter(rest)?,
            // Bytes of a longer character are no marks: go on to the next one.
            _ => {
                at += 1;
                while !sql.is_char_boundary(at) {
                    at += 1;
                }
                continue;
            }
        };
        pieces.push(Piece::Text(&sql[start..at]));
        pieces.push(piece);
        at += length;
        start = at;
    }
    pieces.push(Piece::Text(&sql[start..]));
    Ok(pieces)
}

fn end_of_quote(bytes: &[u8], start: usize) -> Result<usize, String> {
    // A doubled quote closes and opens again, which comes to the same.
    bytes[start + 1..]
        .iter()
        .position(|byte| *byte == bytes[start])
        .map(|length| start + length + 2)
        .ok_or_else(|| "a quote is left open".to_owned())
}

fn parameter(rest: &str) -> Result<(Piece<'static>, usize), String> {
    let word: &str =
        &rest[..1 + rest[1..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()];
    let piece = match word {
        ":tenant" => Piece::Tenant,
        ":now" => Piece::Now,
        _ => {
            let number = word.strip_prefix('$').filter(|digits| !digits.starts_with('0'));
            let number = number.and_then(|digits| digits.parse().ok());
            let number = number.filter(|number| *number <= STMT_PARAMETERS_MAX);
            Piece::Number(number.ok_or_else(|| format!("`{word}` is no parameter"))?)
        }
    };
    Ok((piece, word.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_are_numbered_for_each_engine() {
        let template = Template::read(
            "UPDATE x SET a = $2, at_ms = :now WHERE tenant_id = :tenant AND b = $1 AND c = $2",
        );
        let template = template.unwrap();
        assert_eq!(
            template.sqlite,
            "UPDATE x SET a = ?2, at_ms = ?4 WHERE tenant_id = ?3 AND b = ?1 AND c = ?2"
        );
        assert_eq!(
            template.postgres,
            "UPDATE x SET a = $2, at_ms = $4 WHERE tenant_id = $3 AND b = $1 AND c = $2"
        );
        assert_eq!((template.parameters, template.tenant, template.now), (2, Some(3), Some(4)));
    }

    #[test]
    fn marks_in_literals_names_and_comments_stay() {
        let sql = "SELECT '$9 :tenant ''?', \"a:now\" -- $7 it's\n, $1 FROM x";
        let template = Template::read(sql).unwrap();
        assert_eq!(template.sqlite, sql.replace("$1", "?1"));
        assert_eq!((template.parameters, template.tenant, template.now), (1, None, None));
    }

    #[test]
    fn texts_that_one_engine_would_misread_are_refused() {
        for sql in [
            "SELECT ?1",
            "SELECT $0",
            "SELECT $01",
            "SELECT $100",
            "SELECT :other",
            "SELECT $2",
            "SELECT 'a",
            "SELECT 1::TEXT",
            "SELECT @a",
            "SELECT $",
        ] {
            assert!(Template::read(sql).is_err(), "{sql}");
        }
    }

    #[test]
    fn the_table_that_a_statement_changes_is_known() {
        let table = |sql| Template::read(sql).unwrap().table;
        for sql in [
            "INSERT INTO a_b (c) VALUES ($1)",
            "UPDATE a_b SET c = $1",
            "DELETE FROM a_b WHERE c = $1",
            "\n  DELETE FROM\n a_b",
        ] {
            assert_eq!(table(sql).as_deref(), Some("a_b"), "{sql}");
        }
        for sql in ["SELECT c FROM a_b", "WITH x AS (SELECT 1) DELETE FROM a_b", "UPDATE"] {
            assert_eq!(table(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_missing_parameter_is_named() {
        let fault = Stmt::new("SELECT $1, $2").int(1).template().unwrap_err();
        assert_eq!(fault.to_string(), "the statement `SELECT $1, $2` failed: 1 parameters bound, 2 named");
    }

    #[test]
    fn parameters_are_not_shown() {
        assert_eq!(format!("{:?}", Stmt::new("SELECT $1").text("Ana")), "Stmt(\"SELECT $1\", 1 parameters)");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(sql: String) {
            let _ = Template::read(&sql);
        }

        #[test]
        fn a_text_without_parameters_stays_as_it_is(sql in "[a-zA-Zé ,=()']{0,60}") {
            if let Ok(template) = Template::read(&sql) {
                prop_assert_eq!(&template.sqlite, &sql);
                prop_assert_eq!(&template.postgres, &sql);
            }
        }
    }
}
