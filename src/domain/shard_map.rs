//! Where a merchant's data live: 1024 fixed buckets, and a map that assigns them to shards.

use std::fmt;

/// One of the 1024 parts into which merchants fall for good. Shards come and go; a merchant's bucket never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket(u16);

impl Bucket {
    /// Bits that a bucket takes in an id.
    pub const BITS: u32 = 10;
    /// How many buckets there are.
    pub const COUNT: u16 = 1 << Self::BITS;

    /// The bucket of a merchant: the trailing number of its id modulo 1024 (`MERCHANT-123` is in 123), else the FNV-1a
    /// hash (64 bits, <http://www.isthe.com/chongo/tech/comp/fnv/>) of the whole id modulo 1024.
    pub fn of_merchant(merchant_id: &str) -> Self {
        let bytes = merchant_id.as_bytes();
        let digits = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let value = if digits > 0 {
            bytes[bytes.len() - digits..]
                .iter()
                .fold(0, |value, digit| (value * 10 + u64::from(digit - b'0')) % u64::from(Self::COUNT))
        } else {
            bytes
                .iter()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
        };
        Self::wrapping(value)
    }

    /// The bucket with this number modulo 1024.
    pub fn wrapping(number: u64) -> Self {
        Self((number % u64::from(Self::COUNT)) as u16)
    }

    pub fn get(self) -> u16 {
        self.0
    }
}

/// A shard's number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u32);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Assigns every bucket to a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardMap {
    shards: u32,
    of_bucket: Vec<ShardId>,
}

impl ShardMap {
    /// Buckets dealt in turn: with two shards, odd buckets are on shard 1 and even ones on shard 2.
    pub fn dealt(shards: std::num::NonZeroU32) -> Self {
        let shards = shards.get();
        let of_bucket =
            (0..u32::from(Bucket::COUNT)).map(|bucket| ShardId((bucket + shards - 1) % shards + 1)).collect();
        Self { shards, of_bucket }
    }

    pub fn shard_of(&self, bucket: Bucket) -> ShardId {
        self.of_bucket[usize::from(bucket.get())]
    }

    /// A bucket of this shard's.
    pub fn bucket_of(&self, shard: ShardId) -> Bucket {
        let place = self.of_bucket.iter().position(|of| *of == shard);
        Bucket::wrapping(place.unwrap_or_default() as u64)
    }

    /// Tells apart the ways in which buckets are dealt: databases that were filled by another one are not read by this.
    pub fn version(&self) -> u32 {
        1
    }

    /// How many shards there are.
    pub fn count(&self) -> u32 {
        self.shards
    }

    /// All shards, in order.
    pub fn shards(&self) -> impl Iterator<Item = ShardId> + use<> {
        (1..=self.shards).map(ShardId)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_of_merchants() {
        for (merchant, bucket) in [
            ("MERCHANT-123", 123),
            ("MERCHANT-0", 0),
            ("MERCHANT-1024", 0),
            ("MERCHANT-1025", 1),
            ("42", 42),
            ("shop99999999999999999999999999", (99_999_999_999_999_999_999_999_999_u128 % 1024) as u16),
        ] {
            assert_eq!(Bucket::of_merchant(merchant).get(), bucket, "{merchant}");
        }
        // FNV-1a's published vectors: "" and "a" and "foobar".
        assert_eq!(u64::from(Bucket::of_merchant("a").get()), 0xaf63_dc4c_8601_ec8c % 1024);
        assert_eq!(u64::from(Bucket::of_merchant("foobar").get()), 0x8594_4171_f739_67e8 % 1024);
    }

    #[test]
    fn two_shards_split_odd_and_even() {
        let map = ShardMap::dealt(NonZeroU32::new(2).unwrap());
        assert_eq!(map.shard_of(Bucket::of_merchant("MERCHANT-1")), ShardId(1));
        assert_eq!(map.shard_of(Bucket::of_merchant("MERCHANT-2")), ShardId(2));
        assert_eq!(map.shard_of(Bucket::of_merchant("MERCHANT-1023")), ShardId(1));
        assert_eq!(map.shard_of(Bucket::of_merchant("MERCHANT-1024")), ShardId(2));
    }

    proptest! {
        #[test]
        fn every_bucket_has_a_shard(shards in 1u32..=64, bucket in 0u64..1024) {
            let map = ShardMap::dealt(NonZeroU32::new(shards).unwrap());
            let shard = map.shard_of(Bucket::wrapping(bucket));
            prop_assert!(map.shards().any(|known| known == shard));
        }

        #[test]
        fn any_merchant_has_a_bucket(merchant in "[A-Za-z0-9_-]{1,32}") {
            prop_assert!(Bucket::of_merchant(&merchant).get() < Bucket::COUNT);
        }
    }
}
