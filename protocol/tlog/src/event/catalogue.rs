//! The macro behind the catalogue.
//!
//! The files of the rooms hold declarations only; each is a macro that hands them on to the next, because one enum
//! needs one place of birth. A declaration reads
//!
//! ```text
//! /// Meaning.
//! Variant = "noun-past-verb", Outcome, Log, DataCategory {
//!     subject "kind" field: String or Option<String>, "meaning";        at most one
//!     leaf KEY field: type, "meaning";                                  public for ever, keys 10 to 31, ascending
//!     detail KEY field: type, "meaning";                                erasable, keys from 1, ascending
//! }
//! ```

macro_rules! catalogue {
    ([] $(
        room $room:literal;
        $(
            $(#[doc = $doc:literal])+
            $Variant:ident = $name:literal, $outcome:ident, $log:ident, $data:ident {
                $( subject $kind:literal $sfield:ident: $sty:ty, $sdoc:literal; )?
                $( leaf $lkey:literal $lfield:ident: $lty:ty, $ldoc:literal; )*
                $( detail $dkey:literal $dfield:ident: $dty:ty, $ddoc:literal; )*
            }
        )*
    )*) => {
        /// Every act that the ledger knows.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Event {
            $($(
                $(#[doc = $doc])+
                $Variant {
                    $( #[doc = $sdoc] $sfield: $sty, )?
                    $( #[doc = $ldoc] $lfield: $lty, )*
                    $( #[doc = $ddoc] $dfield: $dty, )*
                },
            )*)*
        }

        /// What the catalogue says of each event, by room.
        pub const CATALOGUE: &[EventDoc] = &[$($(
            EventDoc {
                room: $room,
                name: $name,
                doc: &[$($doc),+],
                outcome: Outcome::$outcome,
                log: LogChoice::$log,
                data: DataCategory::$data,
                subject: [$(Some($kind),)? None][0],
                leaf: &[$( FieldDoc { key: $lkey, name: stringify!($lfield), ty: stringify!($lty), doc: $ldoc }, )*],
                detail: &[$( FieldDoc { key: $dkey, name: stringify!($dfield), ty: stringify!($dty), doc: $ddoc }, )*],
            },
        )*)*];

        impl Event {
            /// The type name in the entry.
            pub fn name(&self) -> &'static str {
                match self { $($( Self::$Variant { .. } => $name, )*)* }
            }

            /// How the act ended; fixed by the type.
            pub fn outcome(&self) -> Outcome {
                match self { $($( Self::$Variant { .. } => Outcome::$outcome, )*)* }
            }

            /// Which log takes it.
            pub fn log(&self) -> LogChoice {
                match self { $($( Self::$Variant { .. } => LogChoice::$log, )*)* }
            }

            /// The fields that the leaf shows for ever, ascending by key.
            pub fn public(&self) -> Vec<(u8, PublicField)> {
                match self { $($(
                    Self::$Variant { $($lfield,)* .. } => {
                        let fields: Vec<Option<(u8, PublicField)>> =
                            vec![$( $lfield.leaf().map(|field| ($lkey, field)), )*];
                        fields.into_iter().flatten().collect()
                    }
                )*)* }
            }

            /// The erasable fields, as a canonical CBOR map with unsigned keys; `A0` if there are none.
            pub fn detail(&self) -> Vec<u8> {
                match self { $($(
                    Self::$Variant { $($dfield,)* .. } => {
                        let fields: Vec<Option<(cbor::Value, cbor::Value)>> =
                            vec![$( $dfield.cbor().map(|field| (cbor::Value::Uint($dkey), field)), )*];
                        cbor::encode(&cbor::Value::Map(fields.into_iter().flatten().collect()))
                    }
                )*)* }
            }

            /// The person that the event is about.
            pub fn subject(&self) -> Option<Subject> {
                match self { $($(
                    Self::$Variant { $($sfield,)? .. } => {
                        let subjects: Vec<Option<Subject>> = vec![$( $sfield.subject($kind), )?];
                        subjects.into_iter().flatten().next()
                    }
                )*)* }
            }

            /// The keys that signed in the same unit.
            pub fn key_uses(&self) -> Vec<&KeyUse> {
                match self { $($(
                    Self::$Variant { $($dfield,)* .. } => {
                        let uses: Vec<&[KeyUse]> = vec![$( $dfield.key_uses(), )*];
                        uses.into_iter().flatten().collect()
                    }
                )*)* }
            }

            /// One event of each type, with every field filled to its usual width.
            #[cfg(test)]
            pub(crate) fn samples() -> Vec<Self> {
                use values::Sample;
                vec![$($( Self::$Variant {
                    $( $sfield: Sample::sample(), )?
                    $( $lfield: Sample::sample(), )*
                    $( $dfield: Sample::sample(), )*
                }, )*)*]
            }
        }
    };
}
