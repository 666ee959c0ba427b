//! Being online: the client's effects are carried out in their order, one round after another.

use super::doors::{self, RelayFault};
use super::link::Link;
use super::{Letter, Mailbox, Pushed, RelayError, Wallet};
use crypto::secret::Secret;
use mailbox::calendar::Calendar;
use mailbox::cell::Class;
use mailbox::client::{Client, Effect, Input, Moment, NULL_BUCKET, Notice, Reason, Turn};
use mailbox::frame::{CloseCode, Fetch, FromClient, FromRelay, Hello, Parts, TOKEN_BYTES, Welcome, Whole};
use mailbox::network::{Identity, VerifiedEpoch};
use mailbox::onion;
use mailbox::statement::{Expected, RoundStatement};
use std::time::{Duration, Instant};

/// The relay answers HELLO within this.
const WELCOME_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries to come back before a verb gives up.
const TRIES_MAX: u32 = 5;
/// Time between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// The longest wait for a frame while nothing is due: letters that others leave are looked for this often.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// The same while two links are open: one thread looks at them in turn.
const WAIT_IN_TURN: Duration = Duration::from_millis(25);

/// How long to stay.
pub struct Stay<'a> {
    /// At least so many published rounds, so that going online says little about why.
    pub rounds_min: u64,
    /// At most so many; none for one who follows.
    pub rounds_max: Option<u64>,
    /// Whether nothing is left to do.
    pub done: &'a mut dyn FnMut(&Client) -> bool,
    /// What happens meanwhile.
    pub told: &'a mut dyn FnMut(Told<'_>),
}

/// What happens while the wallet is online.
#[derive(Debug)]
pub enum Told<'a> {
    /// The link is open.
    Online,
    /// A round was published; how many since the verb began.
    Round(u64),
    /// Letters came, and are stored.
    Letters(&'a [Letter]),
    /// A sign-in was pushed, and is kept; or why it was not.
    Push(&'a Pushed),
    /// Something the person should know.
    Notice(Notice),
    /// The link broke; another try follows.
    Broken(&'a RelayFault),
}

/// The connections of a member: one to the normal class, and one to the fast class where sign-ins may come by it.
struct Links {
    normal: Session,
    fast: Option<Session>,
}

/// One connection.
struct Session {
    link: Link,
    calendar: Calendar,
    epoch: VerifiedEpoch,
    cascade: Vec<(u8, Identity)>,
    path: onion::Path,
    parts: Parts,
    /// A statement whose rows follow.
    stated: Option<(RoundStatement, Vec<[u8; 32]>)>,
}

impl Wallet {
    /// Goes online and stays as long as asked; how many rounds were published meanwhile.
    ///
    /// # Errors
    /// [`RelayError`], after some tries to come back.
    pub fn stay(&mut self, mailbox: &mut Mailbox, stay: &mut Stay<'_>) -> Result<u64, RelayError> {
        let (mut rounds, mut tries) = (0, 0);
        loop {
            let before = rounds;
            let ended = self.session(mailbox, stay, &mut rounds);
            self.step(mailbox, Input::Lost, None, stay)?;
            for pushed in self.store_mailbox(mailbox)? {
                (stay.told)(Told::Push(&pushed));
            }
            match ended {
                Ok(()) => return Ok(rounds),
                Err(RelayError::Relay(fault)) if may_pass(&fault) => {
                    tries = if rounds > before { 1 } else { tries + 1 };
                    if tries >= TRIES_MAX {
                        return Err(fault.into());
                    }
                    (stay.told)(Told::Broken(&fault));
                    std::thread::sleep(TRY_AGAIN);
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// One connection, until nothing is left to do.
    fn session(
        &mut self,
        mailbox: &mut Mailbox,
        stay: &mut Stay<'_>,
        rounds: &mut u64,
    ) -> Result<(), RelayError> {
        let (normal, welcome, round_trip) = self.connect(mailbox, Class::Normal)?;
        let (settings, network) = (mailbox.client().settings(), mailbox.client().network());
        let in_fast = settings.fast_turns > 0 && network.calendar.round_ms(Class::Fast).is_some();
        let fast = if in_fast { Some(self.connect(mailbox, Class::Fast)?.0) } else { None };
        let mut links = Links { normal, fast };
        let it = links.normal.epoch.epoch();
        let buckets = it.class(Class::Normal).map_or(1, |class| class.buckets);
        let facts = Input::Epoch { epoch: it.epoch, buckets: u16::try_from(buckets).unwrap_or(1) };
        self.step(mailbox, facts, None, stay)?;
        let round_trip_ms = u64::try_from(round_trip.as_millis()).unwrap_or(u64::MAX);
        let clock = Input::Welcome { now_ms: welcome.now_ms, round_trip_ms };
        self.step(mailbox, clock, None, stay)?;
        (stay.told)(Told::Online);
        loop {
            let enough = *rounds >= stay.rounds_min && (stay.done)(mailbox.client());
            let ends = enough || stay.rounds_max.is_some_and(|max| *rounds >= max);
            if ends && mailbox.client().is_answered() {
                links.close();
                return Ok(());
            }
            self.take_outgoing(mailbox)?;
            let now_ms = self.relay_now_ms();
            let due = mailbox.client().poll_timeout(now_ms).map(|at| at.saturating_sub(now_ms));
            if due == Some(0) {
                self.step(mailbox, Input::Tick, Some(&mut links), stay)?;
                continue;
            }
            let wait = due.map_or(WAIT_MAX, Duration::from_millis).min(WAIT_MAX);
            if let Some((class, frame)) = links.receive(wait)?
                && self.hear(mailbox, &mut links, (class, &frame), stay)?
            {
                *rounds += 1;
                (stay.told)(Told::Round(*rounds));
            }
        }
    }

    /// Asks for the epoch, opens the link to a class and says HELLO.
    fn connect(&self, mailbox: &Mailbox, class: Class) -> Result<(Session, Welcome, Duration), RelayError> {
        let membership = mailbox.membership();
        let (http, url) = (self.client(), membership.url.as_str());
        let epoch = doors::epoch(http, url, &membership.manifest)?;
        let it = epoch.epoch();
        let buckets = it.class(class).map_or(1, |class| class.buckets);
        let bucket = mailbox.client().own_bucket(it.epoch, u16::try_from(buckets).unwrap_or(1));
        let relays = &membership.manifest.manifest().relays;
        let cascade = it
            .cascade
            .iter()
            .filter_map(|place| Some((*place, relays.get(usize::from(*place))?.identity)))
            .collect();
        let path = onion::Path::new(&epoch, class);
        let mut link = Link::open(http, url)?;
        let hello = Hello {
            network: membership.manifest.network(),
            manifest_version: membership.manifest.manifest().version,
            turns: 1,
            fetch: Fetch::Bucket,
            bucket,
        };
        let said = Instant::now();
        link.send(FromClient::Hello(hello).encode(class))?;
        let welcome = loop {
            let left = WELCOME_TIMEOUT.saturating_sub(said.elapsed());
            if left.is_zero() {
                return Err(RelayFault::Link("no WELCOME".to_owned()).into());
            }
            let Some(frame) = link.receive(left)? else { continue };
            match FromRelay::parse(&frame) {
                Ok((of, FromRelay::Welcome(welcome))) if of == class => break welcome,
                Ok((_, FromRelay::Close(close))) => return Err(closed(close.code).into()),
                _ => return Err(RelayFault::Link("no WELCOME".to_owned()).into()),
            }
        };
        if welcome.epoch_digest != epoch.digest() {
            return Err(closed(CloseCode::Epoch).into());
        }
        let calendar = membership.manifest.manifest().calendar();
        let session = Session { link, calendar, epoch, cascade, path, parts: Parts::default(), stated: None };
        Ok((session, welcome, said.elapsed()))
    }

    /// One frame of the relay; true when it completed a round.
    fn hear(
        &mut self,
        mailbox: &mut Mailbox,
        links: &mut Links,
        (of, frame): (Class, &[u8]),
        stay: &mut Stay<'_>,
    ) -> Result<bool, RelayError> {
        let broken = |fault: &dyn std::fmt::Display| RelayFault::Link(fault.to_string());
        let (class, frame) = FromRelay::parse(frame).map_err(|fault| broken(&fault))?;
        if class != of {
            return Err(broken(&"a frame of another class").into());
        }
        let Some(session) = links.of(class) else { return Ok(false) };
        match frame {
            FromRelay::Welcome(_) => Err(broken(&"a second WELCOME").into()),
            FromRelay::Close(close) => Err(closed(close.code).into()),
            FromRelay::Turned { number, turned } => {
                let turn = u8::try_from(number).unwrap_or(u8::MAX);
                let input = Input::Turned { class, round: turned.round, turn, code: turned.code };
                self.step(mailbox, input, Some(links), stay)?;
                Ok(false)
            }
            FromRelay::Part(part) => {
                let rows_max = session.epoch.epoch().class(class).map_or(0, |class| class.rows);
                match session.parts.take(part, rows_max).map_err(|fault| broken(&fault))? {
                    None => Ok(false),
                    Some(Whole::Round(round)) => {
                        let stated = round.signed.unverified().round;
                        match doors::checked(round.signed, stated, &session.expected(class)) {
                            Ok(statement) => {
                                session.stated = Some((statement, round.path));
                                self.step(mailbox, Input::Cleared(Reason::WeakStatement), None, stay)?;
                            }
                            Err(_) => {
                                self.step(mailbox, Input::Trouble(Reason::WeakStatement), None, stay)?;
                            }
                        }
                        Ok(false)
                    }
                    Some(Whole::Bucket(bucket)) => {
                        let Some((statement, path)) = session.stated.take() else { return Ok(false) };
                        let same = statement.round == bucket.round && statement.class == class;
                        if !same || statement.check_rows(bucket.bucket, &bucket.rows, &path).is_err() {
                            self.step(mailbox, Input::Trouble(Reason::WeakStatement), None, stay)?;
                            return Ok(false);
                        }
                        let input = Input::Rows { class, round: bucket.round, rows: &bucket.rows };
                        self.step(mailbox, input, Some(links), stay)?;
                        Ok(class == Class::Normal)
                    }
                }
            }
        }
    }

    /// One input of the client, and its effects in their order.
    fn step(
        &mut self,
        mailbox: &mut Mailbox,
        input: Input<'_>,
        mut links: Option<&mut Links>,
        stay: &mut Stay<'_>,
    ) -> Result<(), RelayError> {
        let mut entropy = crypto::random::fill;
        let mut moment = Moment { now_ms: self.relay_now_ms(), entropy: &mut entropy };
        let client = mailbox.client.take().expect("a step gives the client back");
        let (client, effects) = client.step(input, &mut moment);
        mailbox.client = Some(client);
        for effect in effects {
            match effect {
                Effect::Save => {
                    let before = self.vault.count(crate::vault::Kind::Letter)?;
                    for pushed in self.store_mailbox(mailbox)? {
                        (stay.told)(Told::Push(&pushed));
                    }
                    if self.vault.count(crate::vault::Kind::Letter)? > before {
                        let unread: Vec<Letter> =
                            self.letters()?.into_iter().filter(|letter| !letter.record.is_read).collect();
                        (stay.told)(Told::Letters(&unread));
                    }
                }
                Effect::Tell(notice) => (stay.told)(Told::Notice(notice)),
                Effect::Turn(turn) => {
                    if let Some(session) = links.as_deref_mut().and_then(|links| links.of(turn.class)) {
                        session.send(&turn)?;
                    }
                }
                Effect::Fetch { first, rounds, bucket } => {
                    if let Some(links) = links.as_deref_mut() {
                        self.fetch(mailbox, &links.normal, first..first + rounds, bucket, stay)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Missed rounds, one after another.
    fn fetch(
        &mut self,
        mailbox: &mut Mailbox,
        session: &Session,
        rounds: std::ops::Range<u64>,
        bucket: u16,
        stay: &mut Stay<'_>,
    ) -> Result<(), RelayError> {
        for round in rounds {
            let epoch = mailbox.client().network().calendar.epoch_of(Class::Normal, round);
            let expected = Expected { epoch, ..session.expected(Class::Normal) };
            match doors::missed(self.client(), &mailbox.membership().url, (round, bucket), expected) {
                Ok(rows) => {
                    self.step(mailbox, Input::Blob { round, rows: rows.as_deref() }, None, stay)?;
                }
                // The client asks again in a later round; what goes out is not held up.
                Err(fault) => {
                    (stay.told)(Told::Broken(&fault));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Links {
    fn of(&mut self, class: Class) -> Option<&mut Session> {
        match class {
            Class::Normal => Some(&mut self.normal),
            Class::Fast => self.fast.as_mut(),
        }
    }

    /// The next frame of either; none when nothing came within `wait`.
    fn receive(&mut self, wait: Duration) -> Result<Option<(Class, Vec<u8>)>, RelayFault> {
        let Some(fast) = &mut self.fast else {
            return Ok(self.normal.link.receive(wait)?.map(|frame| (Class::Normal, frame)));
        };
        if let Some(frame) = fast.link.receive(wait.min(WAIT_IN_TURN))? {
            return Ok(Some((Class::Fast, frame)));
        }
        Ok(self.normal.link.receive(Duration::ZERO)?.map(|frame| (Class::Normal, frame)))
    }

    fn close(self) {
        self.normal.link.close();
        if let Some(fast) = self.fast {
            fast.link.close();
        }
    }
}

impl Session {
    /// Wraps the cell for the hops of the epoch, and sends it. In another epoch nobody could open it: the next link has its keys.
    fn send(&mut self, turn: &Turn) -> Result<(), RelayFault> {
        if self.calendar.epoch_of(turn.class, turn.round) != self.epoch.epoch().epoch {
            return Err(closed(CloseCode::Epoch));
        }
        let ephemerals: Vec<Secret<[u8; 32]>> =
            (0..self.path.hops()).map(|_| Secret::new(crypto::random::array())).collect();
        debug_assert!(turn.bucket != NULL_BUCKET || self.path.hops() > 1, "full mode stores its nulls");
        let onion = self
            .path
            .wrap(turn.round, turn.bucket, &turn.cell, &ephemerals)
            .map_err(|_| RelayFault::Link("a hop's key is none".to_owned()))?;
        let frame =
            mailbox::frame::Turn { round: turn.round, token: [0; TOKEN_BYTES], onion, bucket: turn.read };
        let frame = FromClient::Turn { number: u16::from(turn.turn), turn: frame };
        self.link.send(frame.encode(turn.class))
    }

    fn expected(&self, class: Class) -> Expected<'_> {
        let it = self.epoch.epoch();
        Expected { network: it.network, class, epoch: it.epoch, view: it.view, cascade: &self.cascade }
    }
}

fn closed(code: CloseCode) -> RelayFault {
    RelayFault::Link(
        match code {
            CloseCode::Bye => "the relay goes",
            CloseCode::Frame => "the relay could not read a frame",
            CloseCode::Network => "the relay serves another network",
            CloseCode::Manifest => "the network's manifest changed",
            CloseCode::Turns => "the relay refused three cells",
            CloseCode::Epoch => "the epoch changed",
            CloseCode::Busy => "the relay has too many links",
            CloseCode::Slow => "this wallet read too slowly",
        }
        .to_owned(),
    )
}

/// Whether another try may help.
fn may_pass(fault: &RelayFault) -> bool {
    match fault {
        RelayFault::Http(_) | RelayFault::Link(_) => true,
        RelayFault::Refused { status, .. } => *status >= 500,
        RelayFault::Statement(_) | RelayFault::Round(_) | RelayFault::Answer | RelayFault::Foreign(_) => {
            false
        }
    }
}
