//! Doors: a route is a value that says who may call it, what it takes and what it answers.
//!
//! ```text
//! Door::post("/api/v1/keys").operation(…).who(Who::Role(…)) + handler ──▶ Doors ──▶ Edge::router (authenticate, authorise, limit)
//!                                                                            └────▶ openapi::document
//! ```
//!
//! A handler reaches the router only through [`Doors::door`], and a [`Door`] has no default for [`Who`]; so a route without
//! authorisation, or outside the OpenAPI document, cannot exist (house rule R6).

use crate::limit::Class;
use crate::problem::Page;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use std::sync::Arc;
use tenancy::Permission;

/// Bytes of a JSON body under `/api/v1` (L&O §8): the largest ordinary request of the API.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Bytes of any other body (L&O §8): forms, tokens and wallet messages are far smaller.
pub const SMALL_BODY_BYTES_MAX: usize = 64 << 10;

/// Bytes that a door may name as its own bound, with its reason (L&O §8).
pub const ROUTE_BODY_BYTES_MAX: usize = 8 << 20;

/// Who may come through a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody; the actor is anonymous and the tenant is the system's.
    Public,
    /// Whoever bears a token of ours, of a configured outside issuer, or an operator's session, with a role that carries the
    /// permission. The tenant comes from the token.
    Role(Permission),
    /// Wallets and relying parties at a door under `/t/{tenant}`: the tenant comes from the path, the actor is anonymous. An
    /// unknown or suspended tenant is a 404.
    Tenant,
    /// An operator in a browser: the session comes in the console's cookie, with a role that carries the permission. Nobody signed in
    /// is led to sign in; a POST is a form of our own page, with its token ([`crate::browser`]).
    Operator(Permission),
    /// A browser before anybody is known in it. A POST is a form of our own page, as above.
    Visitor,
    /// Readers of a log: a token of ours is checked if one is there, any other bearer text is handed to the room, none is fine.
    /// The room decides which log asks for which.
    LogReader,
}

/// Makes the schema of one type, with what it refers to left in the generator.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A body that a door takes.
#[derive(Clone, Copy, Debug)]
pub struct BodySpec {
    /// Media type, without parameters.
    pub media: &'static str,
    /// Its form; none for bodies that are no JSON.
    pub schema: Option<SchemaOf>,
    /// Bound in bytes.
    pub bytes_max: usize,
    /// Whether the door takes the request without it.
    pub optional: bool,
}

/// An answer that a door gives when it does what it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct AnswerSpec {
    /// HTTP status.
    pub status: u16,
    /// What it means; OpenAPI asks for a text.
    pub description: &'static str,
    /// Media type; none for an answer without body.
    pub media: Option<&'static str>,
    /// Its form.
    pub schema: Option<SchemaOf>,
}

/// How a door words its refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// RFC 9457 problems: our own API.
    Problems,
    /// `{"error", "error_description", "error_uri"}`: doors of OAuth and OpenID.
    Oauth,
    /// A page for people.
    Html,
}

/// All that is known of a door.
#[derive(Clone, Debug)]
pub struct DoorSpec {
    /// The method; GET serves HEAD too.
    pub method: Method,
    /// The path, with `{name}` for parameters and `{*name}` for the rest of a path.
    pub path: &'static str,
    /// The name of the operation, lower camel case.
    pub operation: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Who may call it.
    pub who: Who,
    /// Which rate applies.
    pub class: Class,
    /// Bodies that it takes.
    pub bodies: Vec<BodySpec>,
    /// The form of its query.
    pub query: Option<SchemaOf>,
    /// Answers when it does what it was asked for.
    pub answers: Vec<AnswerSpec>,
    /// Problems of its own; those of every door need not be named.
    pub problems: Vec<&'static Page>,
    /// Whether it takes `Idempotency-Key`.
    pub idempotent: bool,
    /// How it words refusals.
    pub wording: Wording,
    /// Whether every origin's script may read it (`Access-Control-Allow-Origin: *`, never with credentials).
    pub cors: bool,
    /// Whether it stands in the OpenAPI document: HTML pages do not.
    pub documented: bool,
}

/// A door in the making.
#[derive(Clone, Debug)]
pub struct Door<W = NotYet> {
    spec: DoorSpec,
    who: std::marker::PhantomData<W>,
}

/// Says that a door does not know yet who may come through.
#[derive(Clone, Copy, Debug)]
pub struct NotYet;

/// Says that a door knows who may come through.
#[derive(Clone, Copy, Debug)]
pub struct Decided;

impl Door<NotYet> {
    /// A door for GET and HEAD. `path` names parameters as `{id}`, the rest of a path as `{*rest}`.
    #[must_use]
    pub fn get(path: &'static str) -> Self {
        Self::of(Method::GET, path)
    }

    /// A door for POST.
    #[must_use]
    pub fn post(path: &'static str) -> Self {
        Self::of(Method::POST, path)
    }

    /// A door for PUT.
    #[must_use]
    pub fn put(path: &'static str) -> Self {
        Self::of(Method::PUT, path)
    }

    /// A door for PATCH.
    #[must_use]
    pub fn patch(path: &'static str) -> Self {
        Self::of(Method::PATCH, path)
    }

    /// A door for DELETE.
    #[must_use]
    pub fn delete(path: &'static str) -> Self {
        Self::of(Method::DELETE, path)
    }

    /// Says who may come through; only then can the door be hung.
    #[must_use]
    pub fn who(mut self, who: Who) -> Door<Decided> {
        self.spec.who = who;
        self.spec.class = Class::of(who, &self.spec.method);
        if matches!(who, Who::Operator(_) | Who::Visitor) {
            (self.spec.wording, self.spec.documented) = (Wording::Html, false);
        }
        Door { spec: self.spec, who: std::marker::PhantomData }
    }

    fn of(method: Method, path: &'static str) -> Self {
        let spec = DoorSpec {
            method,
            path,
            operation: "",
            summary: "",
            who: Who::Public,
            class: Class::Public,
            bodies: Vec::new(),
            query: None,
            answers: Vec::new(),
            problems: Vec::new(),
            idempotent: false,
            wording: Wording::Problems,
            cors: false,
            documented: true,
        };
        Self { spec, who: std::marker::PhantomData }
    }
}

impl<W> Door<W> {
    /// The name of the operation, lower camel case, unique in the house.
    #[must_use]
    pub const fn operation(mut self, name: &'static str) -> Self {
        self.spec.operation = name;
        self
    }

    /// What it does, in one line.
    #[must_use]
    pub const fn summary(mut self, text: &'static str) -> Self {
        self.spec.summary = text;
        self
    }

    /// Takes `T` as JSON of at most `bytes_max` bytes, read by [`crate::extract::Body`].
    #[must_use]
    pub fn body<T: JsonSchema>(self, bytes_max: usize) -> Self {
        self.takes(BodySpec {
            media: "application/json",
            schema: Some(schema::<T>),
            bytes_max,
            optional: false,
        })
    }

    /// As [`Door::body`], for requests that may leave it out ([`crate::extract::MaybeBody`]).
    #[must_use]
    pub fn optional_body<T: JsonSchema>(self, bytes_max: usize) -> Self {
        self.takes(BodySpec {
            media: "application/json",
            schema: Some(schema::<T>),
            bytes_max,
            optional: true,
        })
    }

    /// Takes a form (`T` describes its members), read by [`crate::extract::Form`].
    #[must_use]
    pub fn form<T: JsonSchema>(self, bytes_max: usize) -> Self {
        self.takes(BodySpec {
            media: "application/x-www-form-urlencoded",
            schema: Some(schema::<T>),
            bytes_max,
            optional: false,
        })
    }

    /// Takes bytes of another media type, read by [`crate::extract::Raw`].
    #[must_use]
    pub fn raw(self, media: &'static str, bytes_max: usize) -> Self {
        self.takes(BodySpec { media, schema: None, bytes_max, optional: false })
    }

    /// Takes the query `T`, read by [`crate::extract::Query`].
    #[must_use]
    pub const fn query<T: JsonSchema>(mut self) -> Self {
        self.spec.query = Some(schema::<T>);
        self
    }

    /// Answers `T` as JSON.
    #[must_use]
    pub fn answer<T: JsonSchema>(self, status: u16, description: &'static str) -> Self {
        self.answers(AnswerSpec {
            status,
            description,
            media: Some("application/json"),
            schema: Some(schema::<T>),
        })
    }

    /// Answers bytes of another media type.
    #[must_use]
    pub fn answer_of(self, status: u16, media: &'static str, description: &'static str) -> Self {
        self.answers(AnswerSpec { status, description, media: Some(media), schema: None })
    }

    /// Answers without a body.
    #[must_use]
    pub fn empty(self, status: u16, description: &'static str) -> Self {
        self.answers(AnswerSpec { status, description, media: None, schema: None })
    }

    /// Problems of this door's own. Those that any door may answer need not be named.
    #[must_use]
    pub fn problems(mut self, pages: &[&'static Page]) -> Self {
        self.spec.problems.extend_from_slice(pages);
        self
    }

    /// Takes `Idempotency-Key`: the gate keeps the answer, the use-case closes [`crate::extract::Call::mark`] in its unit.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.spec.idempotent = true;
        self
    }

    /// Another rate than the one that follows from who and method.
    #[must_use]
    pub const fn rate(mut self, class: Class) -> Self {
        self.spec.class = class;
        self
    }

    /// Words refusals as OAuth does.
    #[must_use]
    pub const fn oauth(mut self) -> Self {
        self.spec.wording = Wording::Oauth;
        self
    }

    /// Words refusals as a page for people, where the caller is a browser.
    #[must_use]
    pub const fn html(mut self) -> Self {
        self.spec.wording = Wording::Html;
        self
    }

    /// Lets scripts of every origin read it.
    #[must_use]
    pub const fn cors(mut self) -> Self {
        self.spec.cors = true;
        self
    }

    /// Leaves it out of the OpenAPI document: a page for people.
    #[must_use]
    pub const fn page(mut self) -> Self {
        self.spec.documented = false;
        self
    }

    fn takes(mut self, body: BodySpec) -> Self {
        assert!(body.bytes_max <= ROUTE_BODY_BYTES_MAX, "{} takes too large a body", self.spec.path);
        self.spec.bodies.push(body);
        self
    }

    fn answers(mut self, answer: AnswerSpec) -> Self {
        self.spec.answers.push(answer);
        self
    }
}

/// Doors with their handlers, on the way to [`crate::Edge::router`].
pub struct Doors<S = ()> {
    hung: Vec<(Arc<DoorSpec>, MethodRouter<S>)>,
}

impl<S> Default for Doors<S> {
    fn default() -> Self {
        Self { hung: Vec::new() }
    }
}

impl<S: Clone + Send + Sync + 'static> Doors<S> {
    /// No door.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Hangs a door.
    ///
    /// # Panics
    /// When the door has no operation, summary or answer, or shares method and path, or its operation, with another: a defect
    /// that the first start of a test shows.
    #[must_use]
    pub fn door<H, T>(mut self, door: Door<Decided>, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let spec = door.spec;
        let complete = !spec.operation.is_empty() && !spec.summary.is_empty() && !spec.answers.is_empty();
        assert!(complete, "{} {} lacks operation, summary or answer", spec.method, spec.path);
        let tenant_fits = matches!(spec.who, Who::Tenant) == spec.path.contains("{tenant}");
        assert!(tenant_fits, "{} {}: Who::Tenant and {{tenant}} go together", spec.method, spec.path);
        let filter =
            MethodFilter::try_from(spec.method.clone()).expect("doors are made of the five methods above");
        self.hung.push((Arc::new(spec), on(filter, handler)));
        self
    }

    /// Gives the handlers their state.
    #[must_use]
    pub fn with(self, state: S) -> Doors<()> {
        Doors {
            hung: self
                .hung
                .into_iter()
                .map(|(spec, route)| (spec, route.with_state(state.clone())))
                .collect(),
        }
    }

    /// These doors and the other's.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.hung.extend(other.hung);
        self
    }

    /// What is known of the doors, in the order they were hung.
    pub fn specs(&self) -> impl Iterator<Item = &DoorSpec> {
        self.hung.iter().map(|(spec, _)| spec.as_ref())
    }

    pub(crate) fn into_hung(self) -> Vec<(Arc<DoorSpec>, MethodRouter<S>)> {
        self.hung
    }
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
