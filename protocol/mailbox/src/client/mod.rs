//! A member: what it does in each round, as a value that is given inputs and answers with effects.
//!
//! ```text
//! Welcome, Tick ─► act ─► Save, then Turn (one cell, one bucket to read; servers s)      what people do: people.rs
//! Rows, Blob ────► hear ─► messages in the inbox, contacts that are enrolled
//! Turned, Dead, Lost ────► cells that must be sent again
//! ```
//! | link | input | next, effects |
//! |---|---|---|
//! | off | Welcome | on: an offset in 0.05–0.55 T is drawn, once for the connection |
//! | on | Tick at the offset of a round > `last_round` | Save, then Turn: real, loop or null |
//! | on | Lost | off; what was not answered is sent again |
//! | any | Rows of the round | Save if anything came |
//!
//! Invariants: exactly one cell and one bucket in each online round, at a time that no traffic moves; `last_round` is durable
//! before a cell of it leaves that a key sealed (fast rounds of nulls are saved nowhere); nothing is done for a round ≤ `last_round`, nor for a round that ran when the state was read back.

mod act;
mod elsewhere;
mod hear;
mod people;
mod state;

pub use elsewhere::{OFFER_TTL_S, Offer};
pub use people::{AcceptRefusal, InviteRefusal, SendRefusal, VerifyRefusal};
pub use state::{CONTACT_BYTES_MAX, STATE_BYTES_MAX};

use crate::account::{OverBudget, Tally};
use crate::calendar::{ACT_FROM_HUNDREDTHS, ACT_TO_HUNDREDTHS, COLLECT_TO_HUNDREDTHS, Calendar};
use crate::cell::{Cell, Class, Direction};
use crate::chain::{Line, Source};
use crate::contact::{Contact, ContactId, ContactState};
use crate::frame::TurnCode;
use crate::invite::Invite;
use crate::listener::Listener;
use crate::network::{Manifest, Mode, NetworkId};
use crypto::secret::Secret;
use crypto::xwing::SecretKey;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Contacts of a member: 1,000 cost about 4 s of CPU a day.
pub const CONTACTS_MAX: usize = 1_000;
/// Contacts of a server, which listens to none.
pub const SERVER_CONTACTS_MAX: usize = 100_000;
/// Cells that wait, of all contacts: three days of rounds of a minute.
pub const OUTBOX_MAX: usize = 4_096;
/// Invites that are open at once.
pub const INVITES_MAX: usize = 32;
/// Messages that came and were not taken yet.
pub const INBOX_MAX: usize = 4_096;
/// Missed rounds that are fetched at a time.
pub const FETCH_ROUNDS_MAX: u64 = 64;
/// Intervals of missed rounds; beyond, the gaps between them are fetched too.
const MISSED_MAX: usize = 64;
/// How far the clocks of member and relay may differ.
pub const CLOCK_TOLERANCE_MS: u64 = 15_000;
/// The same in a development network, whose rounds are shorter than that.
const CLOCK_TOLERANCE_DEV_MS: u64 = 1_000;
/// As [`ACT_TO_HUNDREDTHS`], in a development network.
const ACT_TO_DEV_HUNDREDTHS: u64 = 35;
/// Rounds without a valid statement after which only nulls are sent.
const SILENT_ROUNDS_MAX: u64 = 3;
/// A bucket that is none.
pub const NULL_BUCKET: u16 = 0xFFFF;

/// What a client must know of its network; all of it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// SHA-256 of the first manifest.
    pub id: [u8; 32],
    /// Its rhythm.
    pub calendar: Calendar,
    /// Normal rounds have several buckets and noise: cells cost events.
    pub is_bucketed: bool,
    /// One relay: missed rounds are fetched whole.
    pub catches_up: bool,
    /// How long the relays keep what they published.
    pub retention_ms: u64,
    /// A development network.
    pub is_dev: bool,
    /// T: how many protected events the promise covers.
    pub events: u64,
}

/// How this member takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Cells in each fast round; 0 for a member that takes no part in them.
    pub fast_turns: u8,
    /// Takes part in normal rounds.
    pub is_in_normal: bool,
    /// Reads what is published; servers that only push do not.
    pub reads: bool,
    /// One of so many nulls goes to oneself.
    pub loop_one_in: u16,
    /// What happens when a contact's events are spent.
    pub over_budget: OverBudget,
}

/// The time and the randomness of one call.
pub struct Moment<'a> {
    /// Unix milliseconds by this machine's clock.
    pub now_ms: u64,
    /// Fills bytes.
    pub entropy: &'a mut dyn FnMut(&mut [u8]),
}

/// What happens to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// The relay answered HELLO: the clock to follow, and how long the answer took.
    Welcome {
        /// The relay's time when it answered.
        now_ms: u64,
        /// From HELLO to the answer.
        round_trip_ms: u64,
    },
    /// A verified epoch statement: buckets of the normal class.
    Epoch {
        /// Which.
        epoch: u32,
        /// B.
        buckets: u16,
    },
    /// Time has passed; see [`Client::poll_timeout`].
    Tick,
    /// The relay answered a turn.
    Turned {
        /// Its class.
        class: Class,
        /// Its round.
        round: u64,
        /// Which of the round's turns.
        turn: u8,
        /// The answer.
        code: TurnCode,
    },
    /// The own bucket of a round whose statement holds, whole.
    Rows {
        /// Its class.
        class: Class,
        /// The round.
        round: u64,
        /// Rows of 512 bytes.
        rows: &'a [u8],
    },
    /// The round was never published, and will not be.
    Dead {
        /// Its class.
        class: Class,
        /// The round.
        round: u64,
    },
    /// The own bucket of a missed normal round, or nothing where the relay has none.
    Blob {
        /// The round.
        round: u64,
        /// Its rows, checked against its statement.
        rows: Option<&'a [u8]>,
    },
    /// Something is wrong that only the driver sees.
    Trouble(Reason),
    /// It is right again.
    Cleared(Reason),
    /// The connection is gone.
    Lost,
}

/// What a client asks for, in this order; a driver that fails at one does none of those after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Make the state durable, and the messages of [`Client::take_messages`] with it, before anything else is done.
    Save,
    /// Send one cell, and read one bucket.
    Turn(Turn),
    /// Fetch missed rounds of the own bucket, in order, and give each back as [`Input::Blob`].
    Fetch {
        /// The first.
        first: u64,
        /// How many.
        rounds: u64,
        /// The bucket to read, by epoch: it is the own bucket of each round's epoch.
        bucket: u16,
    },
    /// Tell the person.
    Tell(Notice),
}

/// One cell of one round, real or not.
#[derive(Clone, PartialEq, Eq)]
pub struct Turn {
    /// Its class.
    pub class: Class,
    /// Its round.
    pub round: u64,
    /// Which of the round's turns.
    pub turn: u8,
    /// Where the cell goes: innermost in the onion.
    pub bucket: u16,
    /// The bucket that is read.
    pub read: u16,
    /// The cell.
    pub cell: Box<Cell>,
}

/// What a person is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Only nulls are sent, and why.
    Degraded(Reason),
    /// Real cells are sent again.
    Recovered,
    /// Enrolment is done: compare the codes.
    Enrolled(ContactId),
    /// Both sides said that the codes agree.
    Verified(ContactId),
    /// A confirm of this contact did not hold.
    ConfirmRefused(ContactId),
    /// 80 % of a contact's events are spent.
    BudgetNear(ContactId),
    /// All are: its messages wait.
    BudgetSpent(ContactId),
    /// A message was given up after 30 days.
    Undelivered(ContactId, u32),
    /// More than 5 % of the cells to oneself were lost in 24 h.
    LoopsLost,
}

/// Why only nulls are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reason {
    /// The clocks of member and relay differ by more than 15 s.
    ClockOff = 0,
    /// No valid statement for 3 rounds.
    NoStatement = 1,
    /// A signature is missing, or parameters are weaker than the manifest's.
    WeakStatement = 2,
    /// A hop added less noise than it must, in this epoch.
    UnderNoise = 3,
    /// No token is left for the round.
    NoTokens = 4,
    /// Fewer trust domains than the person asked for.
    TooFewDomains = 5,
    /// A relay left, or trust domains fell, and the person has not agreed yet.
    RelaysChanged = 6,
    /// The token was spent by somebody else: this wallet runs twice.
    RunsTwice = 7,
    /// The buckets of this epoch are not known.
    NoEpoch = 8,
}

/// A message, once.
pub struct Message {
    /// Who sent it.
    pub contact: ContactId,
    /// How far that contact was believed when it came.
    pub state: ContactState,
    /// The class of its rounds.
    pub class: Class,
    /// The round of its last cell.
    pub round: u64,
    /// When it came, Unix milliseconds.
    pub received_at_ms: u64,
    /// Its bytes.
    pub bytes: Secret<Vec<u8>>,
}

/// A member.
pub struct Client {
    network: Network,
    settings: Settings,
    name: String,
    bucket_seed: Secret<[u8; 32]>,
    contacts: Vec<Contact>,
    invites: Vec<OpenInvite>,
    loops: Loops,
    inbox: VecDeque<Message>,
    tally: Tally,
    /// The last round of each class in which anything was sent.
    last_round: [Option<u64>; 2],
    /// The next normal round whose rows have not been looked at.
    expected: Option<u64>,
    missed: VecDeque<(u64, u64)>,
    buckets: Option<(u32, u16)>,
    /// Whose turn it is, as a place in `contacts`.
    next_contact: usize,
    // What follows lives as long as the process.
    link: Option<Link>,
    /// The state was read back: rounds that may have run then are left out.
    is_fresh: bool,
    unanswered: Vec<(Class, u64, u8, Sent)>,
    reasons: BTreeSet<Reason>,
    was_degraded: bool,
    /// When missed rounds were last asked for, and the last of them.
    fetching: Option<(u64, u64)>,
    told_spent: BTreeSet<ContactId>,
}

/// An invite that nobody has accepted yet.
pub struct OpenInvite {
    pub(crate) invite: Invite,
    pub(crate) key: SecretKey,
    pub(crate) sign_seed: Secret<[u8; 64]>,
    pub(crate) line: Line,
    pub(crate) listener: Listener,
    pub(crate) partial: BTreeMap<u32, [Option<Vec<u8>>; 3]>,
}

struct Loops {
    /// Seals.
    sender: Line,
    /// Of the same root: listens.
    line: Line,
    listener: Listener,
    /// Rounds of cells to oneself in the last 24 h, and whether they came back.
    sent: VecDeque<(u64, bool)>,
    warned: bool,
}

struct Link {
    /// Network time less this machine's.
    ahead_ms: i64,
    /// Network time is this machine's own, within the tolerance.
    is_trusted: bool,
    /// When in a round this connection acts, in 2^-32 of T.
    offset: u32,
    /// Rounds up to these are left out.
    floor: [Option<u64>; 2],
    /// The last round for which a statement, or its absence, was seen.
    statement: Option<u64>,
    /// The last normal round that was acted in without a key, while the clock was off.
    null_round: [Option<u64>; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Null,
    Loop,
    Contact(ContactId),
}

impl Network {
    /// What a manifest says; none for one without whole rounds.
    pub fn of(id: NetworkId, manifest: &Manifest) -> Self {
        let is_bucketed = manifest.class(Class::Normal).is_some_and(|rule| rule.mode == Mode::Bucketed);
        Self {
            id: id.0,
            calendar: manifest.calendar(),
            is_bucketed,
            catches_up: manifest.k == 1,
            retention_ms: u64::from(manifest.retention) * 86_400_000,
            is_dev: manifest.dev,
            events: manifest.claim.events,
        }
    }

    fn clock_tolerance_ms(&self) -> u64 {
        if self.is_dev { CLOCK_TOLERANCE_DEV_MS } else { CLOCK_TOLERANCE_MS }
    }
}

impl Settings {
    /// A person's wallet in normal rounds.
    pub const MEMBER: Self = Self {
        fast_turns: 0,
        is_in_normal: true,
        reads: true,
        loop_one_in: 16,
        over_budget: OverBudget::Ask,
    };

    /// A server that pushes in fast rounds and reads nothing.
    pub const fn server(turns: u8) -> Self {
        Self { fast_turns: turns, is_in_normal: false, reads: false, ..Self::MEMBER }
    }

    fn contacts_max(&self) -> usize {
        if self.reads { CONTACTS_MAX } else { SERVER_CONTACTS_MAX }
    }
}

impl Moment<'_> {
    /// `N` random bytes.
    pub(crate) fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.entropy)(&mut bytes);
        bytes
    }
}

impl Client {
    /// A new member of a network, who calls himself `name` to those he invites.
    pub fn new(network: Network, settings: Settings, name: &str, moment: &mut Moment<'_>) -> Self {
        let epoch = network.calendar.epoch_at(moment.now_ms).unwrap_or(0);
        let bucket_seed = Secret::new(moment.draw());
        let loop_root: [u8; 32] = moment.draw();
        let loop_line = || Line::open(Source::Fixed, Secret::new(loop_root), epoch, &network.calendar);
        Self {
            network,
            settings,
            name: name.to_owned(),
            bucket_seed,
            contacts: Vec::new(),
            invites: Vec::new(),
            loops: Loops {
                sender: loop_line(),
                line: loop_line(),
                listener: Listener::new(Class::Normal, Direction::Inviter),
                sent: VecDeque::new(),
                warned: false,
            },
            inbox: VecDeque::new(),
            tally: Tally::default(),
            last_round: [None; 2],
            expected: None,
            missed: VecDeque::new(),
            buckets: None,
            next_contact: 0,
            link: None,
            is_fresh: false,
            unanswered: Vec::new(),
            reasons: BTreeSet::new(),
            was_degraded: false,
            fetching: None,
            told_spent: BTreeSet::new(),
        }
    }

    /// One input; the effects are done in their order.
    #[must_use]
    pub fn step(mut self, input: Input<'_>, moment: &mut Moment<'_>) -> (Self, Vec<Effect>) {
        let effects = match input {
            Input::Welcome { now_ms, round_trip_ms } => {
                self.welcome(now_ms, round_trip_ms, moment);
                Vec::new()
            }
            Input::Epoch { epoch, buckets } => {
                self.buckets = Some((epoch, buckets));
                Vec::new()
            }
            Input::Tick => self.tick(moment),
            Input::Turned { class, round, turn, code } => self.turned(class, round, turn, code),
            Input::Rows { class, round, rows } => self.rows(class, round, rows, moment),
            Input::Dead { class, round } => self.dead(class, round),
            Input::Blob { round, rows } => self.blob(round, rows, moment),
            Input::Trouble(reason) => {
                self.reasons.insert(reason);
                Vec::new()
            }
            Input::Cleared(reason) => {
                self.reasons.remove(&reason);
                Vec::new()
            }
            Input::Lost => {
                self.lost();
                Vec::new()
            }
        };
        (self, effects)
    }

    /// When the next [`Input::Tick`] is due, Unix milliseconds by this machine's clock; none while there is no connection.
    pub fn poll_timeout(&self, now_ms: u64) -> Option<u64> {
        let link = self.link.as_ref()?;
        let network_now = link.network_now(now_ms);
        let due = self.classes().filter_map(|class| {
            let round = self.next_act(class, network_now)?;
            Some(self.acts_at_ms(class, round))
        });
        due.min().map(|at| at.saturating_add_signed(-link.ahead_ms))
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Follows a later manifest of the same network.
    pub fn set_network(&mut self, network: Network) {
        debug_assert_eq!(network.id, self.network.id, "a client never changes its network");
        self.network = network;
    }

    /// The member calls himself otherwise in invites to come; a name that cannot be shown is refused when one is made.
    pub fn set_name(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// How this member takes part.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes part in another way from the next round on.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The contacts.
    pub fn contacts(&self) -> &[Contact] {
        &self.contacts
    }

    /// One contact.
    pub fn contact(&self, id: ContactId) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.id == id)
    }

    /// Open invites: the name they were made for is the member's own; what tells them apart is their digest and end.
    pub fn invites(&self) -> impl Iterator<Item = &Invite> {
        self.invites.iter().map(|open| &open.invite)
    }

    /// Protected events with everybody.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Why only nulls are sent; nothing while all is well.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.reasons.iter().copied()
    }

    /// Missed rounds that were not fetched yet.
    pub fn behind(&self) -> u64 {
        self.missed.iter().map(|(from, to)| to - from + 1).sum()
    }

    /// Whether every cell that was sent has its answer: who leaves before sends it again.
    pub fn is_answered(&self) -> bool {
        self.unanswered.is_empty()
    }

    /// The last normal round in which anything was sent.
    pub fn last_round(&self, class: Class) -> Option<u64> {
        self.last_round[class as usize]
    }

    /// The messages that came, oldest first: the driver stores them in the transaction that stores the state, so that none is
    /// lost and none comes twice.
    pub fn take_messages(&mut self) -> Vec<Message> {
        self.inbox.drain(..).collect()
    }

    /// The bucket that this member reads in an epoch.
    pub fn own_bucket(&self, epoch: u32, buckets: u16) -> u16 {
        crate::contact::bucket_of(&self.bucket_seed, epoch, buckets)
    }

    fn classes(&self) -> impl Iterator<Item = Class> {
        let normal = self.settings.is_in_normal.then_some(Class::Normal);
        let fast = (self.settings.fast_turns > 0 && self.network.calendar.round_ms(Class::Fast).is_some())
            .then_some(Class::Fast);
        normal.into_iter().chain(fast)
    }

    fn welcome(&mut self, relay_ms: u64, round_trip_ms: u64, moment: &mut Moment<'_>) {
        let network_now = relay_ms.saturating_add(round_trip_ms / 2);
        let ahead_ms = i64::try_from(i128::from(network_now) - i128::from(moment.now_ms)).unwrap_or(i64::MAX);
        let tolerance = self.network.clock_tolerance_ms();
        let is_trusted = ahead_ms.unsigned_abs() <= tolerance;
        if is_trusted {
            self.reasons.remove(&Reason::ClockOff);
        } else {
            self.reasons.insert(Reason::ClockOff);
        }
        // What a copy of this state may have sealed before it was read back cannot lie later than this.
        let floor = if self.is_fresh {
            [Class::Normal, Class::Fast]
                .map(|class| self.network.calendar.round_at(class, moment.now_ms.saturating_add(tolerance)))
        } else {
            [None; 2]
        };
        self.is_fresh &= !is_trusted;
        let offset = u32::from_be_bytes(moment.draw());
        self.link =
            Some(Link { ahead_ms, is_trusted, offset, floor, statement: None, null_round: [None; 2] });
    }

    /// The next round to act in: the running one while its time has not passed, else the next; never one that is done. While the
    /// clock is off nothing is believed of rounds: only nulls go out, and only they are counted.
    fn next_act(&self, class: Class, network_now: u64) -> Option<u64> {
        let link = self.link.as_ref()?;
        let running = self.network.calendar.round_at(class, network_now)?;
        let done = if link.is_trusted {
            self.last_round[class as usize].max(link.floor[class as usize])
        } else {
            link.null_round[class as usize]
        };
        let round = done.map_or(running, |done| running.max(done.saturating_add(1)));
        let late = round == running && network_now >= self.acts_until_ms(class, round);
        Some(if late { round.saturating_add(1) } else { round })
    }

    fn acts_at_ms(&self, class: Class, round: u64) -> u64 {
        let round_ms = self.network.calendar.round_ms(class).unwrap_or(0);
        let offset = self.link.as_ref().map_or(0, |link| u64::from(link.offset));
        // Short rounds leave a busy machine little time after the offset.
        let to = if self.network.is_dev { ACT_TO_DEV_HUNDREDTHS } else { ACT_TO_HUNDREDTHS };
        let span = round_ms * (to - ACT_FROM_HUNDREDTHS) / 100;
        let into = round_ms * ACT_FROM_HUNDREDTHS / 100 + ((span * offset) >> 32);
        self.network.calendar.starts_at_ms(class, round).saturating_add(into)
    }

    fn acts_until_ms(&self, class: Class, round: u64) -> u64 {
        let round_ms = self.network.calendar.round_ms(class).unwrap_or(0);
        self.network
            .calendar
            .starts_at_ms(class, round)
            .saturating_add(round_ms * COLLECT_TO_HUNDREDTHS / 100)
    }

    fn position(&self, id: ContactId) -> Option<usize> {
        self.contacts.iter().position(|contact| contact.id == id)
    }

    fn waiting(&self) -> usize {
        self.contacts.iter().map(Contact::waiting).sum()
    }
}

impl Link {
    fn network_now(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add_signed(self.ahead_ms)
    }
}

impl Reason {
    /// What a person is told.
    pub fn words(self) -> &'static str {
        match self {
            Self::ClockOff => "the clocks of this machine and of the relay differ by more than 15 seconds",
            Self::NoStatement => "the relays have signed no round for three rounds",
            Self::WeakStatement => {
                "a round was not signed by all relays, or by weaker rules than the network's"
            }
            Self::UnderNoise => "a relay added less noise than it must",
            Self::NoTokens => "no token is left for this round",
            Self::TooFewDomains => "fewer operators run the relays than you asked for",
            Self::RelaysChanged => "the relays of the network changed, and you have not agreed yet",
            Self::RunsTwice => "this wallet runs twice",
            Self::NoEpoch => "the relays have not said which buckets this epoch has",
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({} contacts)", self.contacts.len())
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({} bytes)", self.bytes.expose().len())
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Turn({:?}, round {})", self.class, self.round)
    }
}
