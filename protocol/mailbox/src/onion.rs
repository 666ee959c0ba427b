//! A cell in its layers: one HPKE message a hop, the innermost `bucket u16 ‖ cell`.
//!
//! ```text
//! bucket ‖ cell ─ layer k ─ … ─ layer 1 ─▶ onion 514 + 48k ─ hop 1 opens ─ … ─ hop k opens ─▶ bucket ‖ cell
//! ```
//!
//! Invariants: an onion has one length for its number of hops; it opens in one network, epoch, view, class and round, at one hop;
//! a null cell looks like any other until the last hop has opened it.

use crypto::hpke::{self, HpkePrivateKey, Info};
use crypto::secret::Secret;

use crate::frame::onion_bytes;
use crate::label::label;
use crate::network::{Class, NetworkId, VerifiedEpoch};
use crate::statement::ROW_BYTES;

/// The bucket of a null cell in bucketed mode: the last hop drops it. In full mode every cell goes to bucket 0.
pub const NULL_BUCKET: u16 = 0xFFFF;
/// Bytes that a layer adds.
pub const LAYER_BYTES: usize = hpke::ENC_BYTES + hpke::TAG_BYTES;

/// A cell as it travels.
pub type Row = [u8; ROW_BYTES];

/// An onion that does not open here: changed, of another round, or not for this hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the onion does not open")]
pub struct OnionRejection;

/// Where a layer is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layer {
    /// The network.
    pub network: NetworkId,
    /// The epoch.
    pub epoch: u32,
    /// The view: onions of an old view are dead.
    pub view: u16,
    /// The class.
    pub class: Class,
    /// The hop, from 1.
    pub hop: u8,
}

impl Layer {
    fn info(&self) -> Info {
        Info::new(&label(&[
            b"onion",
            &self.network.0,
            &self.epoch.to_be_bytes(),
            &self.view.to_be_bytes(),
            &[self.class.number(), self.hop],
        ]))
    }
}

/// The way through the hops of an epoch, for one class. A client makes it once an epoch.
#[derive(Clone, Debug)]
pub struct Path {
    hops: Vec<([u8; 32], Info)>,
}

impl Path {
    /// The way that an epoch names.
    pub fn new(epoch: &VerifiedEpoch, class: Class) -> Self {
        let it = epoch.epoch();
        let hop = |(nth, key): (u8, &crate::network::Identity)| {
            let layer = Layer { network: it.network, epoch: it.epoch, view: it.view, class, hop: nth };
            (key.0, layer.info())
        };
        Self { hops: (1u8..).zip(&it.onion_keys).map(hop).collect() }
    }

    /// A way through these keys, without an epoch: benches and simulations. `layer.hop` is not looked at.
    pub fn of_keys(keys: &[crate::network::Identity], layer: &Layer) -> Self {
        let hop = |(hop, key): (u8, &crate::network::Identity)| (key.0, Layer { hop, ..*layer }.info());
        Self { hops: (1u8..).zip(keys).map(hop).collect() }
    }

    /// Hops, and so fresh keys that [`Path::wrap`] takes.
    pub fn hops(&self) -> usize {
        self.hops.len()
    }

    /// Wraps a cell for `round`. `ephemerals` are fresh random bytes, one a hop.
    ///
    /// # Errors
    /// [`OnionRejection`] when a hop's key is a point of small order, or an ephemeral is missing.
    pub fn wrap(
        &self,
        round: u64,
        bucket: u16,
        cell: &Row,
        ephemerals: &[Secret<[u8; 32]>],
    ) -> Result<Vec<u8>, OnionRejection> {
        if ephemerals.len() != self.hops.len() {
            return Err(OnionRejection);
        }
        let mut onion = [&bucket.to_be_bytes()[..], cell].concat();
        for ((key, info), ephemeral) in self.hops.iter().zip(ephemerals).rev() {
            let sealed = hpke::seal(key, info, &round.to_be_bytes(), &onion, ephemeral);
            let sealed = sealed.map_err(|_| OnionRejection)?;
            onion = [&sealed.enc[..], &sealed.ciphertext].concat();
        }
        debug_assert_eq!(onion.len(), onion_bytes(self.hops.len()));
        Ok(onion)
    }
}

/// Opens the layers of one hop, epoch and class.
#[derive(Debug)]
pub struct Opener {
    key: HpkePrivateKey,
    info: Info,
}

/// What the last hop finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Innermost {
    /// Where it goes; [`NULL_BUCKET`] for nowhere.
    pub bucket: u16,
    /// The cell.
    pub cell: Row,
}

impl Opener {
    /// An opener of a hop's layers.
    pub fn new(key: HpkePrivateKey, layer: &Layer) -> Self {
        Self { key, info: layer.info() }
    }

    /// The `enc` of a layer: what tells a repeat.
    pub fn enc(onion: &[u8]) -> Option<[u8; 32]> {
        onion.first_chunk::<32>().copied()
    }

    /// Opens one layer of an onion that was sent for `round`.
    ///
    /// # Errors
    /// [`OnionRejection`].
    pub fn open(&self, round: u64, onion: &[u8]) -> Result<Secret<Vec<u8>>, OnionRejection> {
        let (enc, sealed) = onion.split_first_chunk::<32>().ok_or(OnionRejection)?;
        hpke::open(&self.key, enc, &self.info, &round.to_be_bytes(), sealed).map_err(|_| OnionRejection)
    }

    /// Opens the last layer.
    ///
    /// # Errors
    /// [`OnionRejection`].
    pub fn open_last(&self, round: u64, onion: &[u8]) -> Result<Innermost, OnionRejection> {
        let plain = self.open(round, onion)?;
        let (bucket, cell) = plain.expose().split_first_chunk::<2>().ok_or(OnionRejection)?;
        let cell = cell.try_into().map_err(|_| OnionRejection)?;
        Ok(Innermost { bucket: u16::from_be_bytes(*bucket), cell })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: Layer =
        Layer { network: NetworkId([9; 32]), epoch: 3, view: 0, class: Class::Normal, hop: 1 };

    fn path(keys: &[HpkePrivateKey]) -> Path {
        let hops =
            (1u8..).zip(keys).map(|(hop, key)| (key.public(), Layer { hop, ..LAYER }.info())).collect();
        Path { hops }
    }

    fn fresh(count: usize) -> Vec<Secret<[u8; 32]>> {
        (0..count).map(|n| Secret::new([n as u8 + 1; 32])).collect()
    }

    #[test]
    fn every_onion_of_a_path_has_its_public_size_whatever_is_in_it() {
        for k in 1..=3 {
            let keys: Vec<_> = (0..k).map(|_| HpkePrivateKey::generate()).collect();
            for cell in [[0; ROW_BYTES], [0xff; ROW_BYTES]] {
                let onion = path(&keys).wrap(7, NULL_BUCKET, &cell, &fresh(k)).unwrap();
                assert_eq!(onion.len(), 514 + 48 * k);
            }
        }
    }

    #[test]
    fn hops_open_their_layers_in_order_and_no_other_way() {
        let keys = [HpkePrivateKey::generate(), HpkePrivateKey::generate()];
        let cell = [5; ROW_BYTES];
        let onion = path(&keys).wrap(7, 3, &cell, &fresh(2)).unwrap();
        let [first, last] = keys;
        let first = Opener::new(first, &LAYER);
        let last = Opener::new(last, &Layer { hop: 2, ..LAYER });
        assert_eq!(last.open(7, &onion).err(), Some(OnionRejection));
        let inner = first.open(7, &onion).unwrap();
        assert_eq!(last.open_last(7, inner.expose()), Ok(Innermost { bucket: 3, cell }));
    }

    #[test]
    fn a_bit_changed_anywhere_or_another_place_does_not_open() {
        let key = || HpkePrivateKey::from_secret(&Secret::new([3; 32]));
        let onion = path(&[key()]).wrap(7, 0, &[5; ROW_BYTES], &fresh(1)).unwrap();
        let opener = Opener::new(key(), &LAYER);
        for bit in (0..onion.len() * 8).step_by(37) {
            let mut changed = onion.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opener.open_last(7, &changed), Err(OnionRejection), "bit {bit}");
        }
        assert_eq!(opener.open_last(8, &onion), Err(OnionRejection));
        assert_eq!(opener.open_last(7, &onion[..onion.len() - 1]), Err(OnionRejection));
        let places = [
            Layer { network: NetworkId([8; 32]), ..LAYER },
            Layer { epoch: 4, ..LAYER },
            Layer { view: 1, ..LAYER },
            Layer { class: Class::Fast, ..LAYER },
            Layer { hop: 2, ..LAYER },
        ];
        for place in places {
            assert_eq!(Opener::new(key(), &place).open_last(7, &onion), Err(OnionRejection), "{place:?}");
        }
    }
}
