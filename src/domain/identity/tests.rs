//! The rules over what can be found.

use std::num::NonZeroU32;

use super::*;
use crate::domain::{Bucket, IdGenerator, Timestamp};

fn map(count: u32) -> ShardMap {
    ShardMap::dealt(NonZeroU32::new(count).unwrap())
}

fn system(number: u64) -> SystemId {
    SystemId::new(0, number)
}

fn identity(of: u64, shard: u32, count: u32) -> ShardIdentity {
    ShardIdentity { system: system(of), shard: ShardId(shard), count, map_version: 1 }
}

fn shard(of: u64, shard: u32, count: u32) -> FoundShard {
    FoundShard { identity: Some(identity(of, shard, count)), holds_data: true, ..FoundShard::default() }
}

fn empty() -> FoundShard {
    FoundShard::default()
}

/// A database of the version before, with payments of these merchants.
fn nameless(merchants: &[u64]) -> FoundShard {
    let mut ids = IdGenerator::new(0);
    let payments = merchants.iter().map(|merchant| ids.next(Timestamp(1_800_000_000_000), Bucket::wrapping(*merchant)));
    FoundShard { holds_data: true, payments: payments.collect(), ..FoundShard::default() }
}

#[test]
fn shards_of_one_system_in_their_order_fit() {
    let two = map(2);
    assert_eq!(judge_shards(&two, &[shard(7, 1, 2), shard(7, 2, 2)], false), Ok(Some(system(7))));
    assert_eq!(judge_shards(&two, &[empty(), empty()], false), Ok(None), "a fresh system");
    let made_a_moment_ago = FoundShard { holds_data: false, ..shard(7, 1, 2) };
    assert_eq!(judge_shards(&two, &[made_a_moment_ago, empty()], false), Ok(Some(system(7))), "cut off while made");
    assert_eq!(judge_shards(&two, &[nameless(&[1, 3]), nameless(&[2, 1024])], false), Ok(None), "the version before");
    let idle = FoundShard { holds_data: false, ..shard(7, 2, 2) };
    assert_eq!(judge_shards(&two, &[shard(7, 1, 2), idle], false), Ok(Some(system(7))), "no merchant there yet");
}

#[test]
fn a_database_of_another_shard_count_or_system_is_named() {
    let refused = |count, found: &[FoundShard]| judge_shards(&map(count), found, true).unwrap_err();
    let swapped = refused(2, &[shard(7, 2, 2), shard(7, 1, 2)]);
    assert_eq!(swapped, ShardMisfit::Number { place: ShardId(1), found: identity(7, 2, 2) });
    let third = refused(3, &[shard(7, 1, 2), shard(7, 2, 2), empty()]);
    assert_eq!(third, ShardMisfit::Count { place: ShardId(1), found: identity(7, 1, 2), wanted: 3 });
    assert!(third.to_string().contains("shard.count is 3"), "{third}");
    let other = refused(2, &[shard(7, 1, 2), shard(8, 2, 2)]);
    let (place, found) = (ShardId(2), identity(8, 2, 2));
    assert_eq!(other, ShardMisfit::System { place, found, other: ShardId(1), system: system(7) });
    let mut dealt_otherwise = shard(7, 2, 2);
    dealt_otherwise.identity.as_mut().unwrap().map_version = 9;
    let refused = refused(2, &[shard(7, 1, 2), dealt_otherwise]);
    assert!(matches!(refused, ShardMisfit::MapVersion { place: ShardId(2), .. }), "{refused}");
}

#[test]
fn an_empty_database_beside_data_is_refused_unless_told() {
    for (found, place, other) in
        [([shard(7, 1, 2), empty()], 2, 1), ([empty(), shard(7, 2, 2)], 1, 2), ([nameless(&[1]), empty()], 2, 1)]
    {
        let refused = judge_shards(&map(2), &found, false);
        assert_eq!(refused, Err(ShardMisfit::Empty { place: ShardId(place), other: ShardId(other) }));
        assert!(judge_shards(&map(2), &found, true).is_ok());
    }
}

#[test]
fn data_without_an_identity_are_known_by_their_payments() {
    for (count, found) in [
        (2, vec![nameless(&[2]), nameless(&[1])]),
        (2, vec![shard(7, 1, 2), nameless(&[2, 4, 3])]),
        (3, vec![nameless(&[1, 3]), nameless(&[2, 4]), empty()]),
    ] {
        let refused = judge_shards(&map(count), &found, true);
        assert!(matches!(refused, Err(ShardMisfit::Stray { .. })), "{refused:?}");
    }
}

const LOG: &str = "file 1";

fn file(name: Option<&str>, of: Option<u64>, is_used: bool) -> FoundCompanion {
    FoundCompanion {
        name: name.map(str::to_owned),
        system: of.map(system),
        is_used,
        holds_data: is_used,
        is_file: true,
    }
}

fn topics(name: &str, are_there: bool) -> FoundCompanion {
    FoundCompanion {
        name: Some(name.to_owned()),
        system: None,
        is_used: are_there,
        holds_data: are_there,
        is_file: false,
    }
}

/// Shards of system 7, empty or not, which know this event log and PSP or none.
fn shards(holds_data: bool, recorded: Option<&str>) -> [FoundShard; 2] {
    [1, 2].map(|number| FoundShard {
        holds_data,
        event_log: recorded.map(str::to_owned),
        psp: recorded.map(str::to_owned),
        ..shard(7, number, 2)
    })
}

#[test]
fn an_event_log_fits_its_shards_and_no_others() {
    let judge = |shards: &[FoundShard], found| judge_companion(Companion::EventLog, shards, Some(&system(7)), &found);
    let kafka = "cluster c, topics p.*";
    for (shards, found) in [
        (shards(true, Some(LOG)), file(Some(LOG), Some(7), true)),
        (shards(true, Some(LOG)), file(Some(LOG), None, false)),
        (shards(false, None), file(None, None, false)),
        (shards(false, None), file(Some(LOG), Some(7), false)),
        (shards(true, None), file(None, None, true)),
        (shards(true, None), topics(kafka, false)),
        (shards(true, Some(kafka)), topics(kafka, true)),
        (shards(false, None), topics(kafka, true)),
        (shards(false, None), topics(kafka, false)),
        (shards(true, None), topics(kafka, true)),
    ] {
        assert_eq!(judge(&shards, found.clone()), Ok(()), "{found:?}");
    }
    use CompanionMisfit::{Empty, Other, Shards, System};
    for (shards, found) in [
        (shards(true, Some(LOG)), file(None, None, false)),
        (shards(true, Some(LOG)), file(Some("file 2"), Some(7), true)),
        (shards(false, Some(LOG)), file(None, None, true)),
        (shards(true, Some(LOG)), topics(kafka, true)),
        (shards(true, Some(kafka)), topics("cluster d, topics p.*", true)),
    ] {
        let refused = judge(&shards, found.clone());
        assert!(matches!(refused, Err(Other { .. })), "{found:?}: {refused:?}");
        assert!(refused.unwrap_err().to_string().contains("--new-event-log"));
    }
    let before = || [nameless(&[1]), nameless(&[2])];
    for (shards, found) in [
        (before(), file(None, None, false)),
        (before(), topics(kafka, false)),
        (shards(true, Some(kafka)), topics(kafka, false)),
    ] {
        assert!(matches!(judge(&shards, found.clone()), Err(Empty { .. })), "{found:?}");
    }
    let made_anew = FoundCompanion { holds_data: false, ..topics(kafka, true) };
    for recorded in [Some(kafka), None] {
        let [one, two] = shards(true, recorded);
        assert_eq!(judge(&[one.clone(), two.clone()], made_anew.clone()), Ok(()), "nothing was published yet");
        let published = [one, FoundShard { has_published: true, ..two }];
        assert!(matches!(judge(&published, made_anew.clone()), Err(Empty { .. })));
    }
    assert!(matches!(judge(&shards(true, None), file(Some(LOG), Some(8), true)), Err(System { .. })));
    assert!(matches!(judge(&shards(false, None), file(None, None, true)), Err(Shards { .. })));
    let fresh = judge_companion(Companion::EventLog, &[empty()], None, &file(Some(LOG), Some(8), true));
    assert!(matches!(fresh, Err(System { shards: None, .. })), "{fresh:?}");
}

#[test]
fn processes_of_a_system_share_one_psp() {
    let judge = |shards: &[FoundShard], found| judge_companion(Companion::Psp, shards, Some(&system(7)), &found);
    let own_books = judge(&shards(false, Some("file 1")), file(None, None, false)).unwrap_err().to_string();
    assert!(own_books.contains("psp.url") && own_books.contains("--new-psp"), "{own_books}");
    let (here, there) = (FoundCompanion::at_url("http://psp:1"), FoundCompanion::at_url("http://10.0.0.1:1"));
    let known = here.name.as_deref();
    assert_eq!(judge(&shards(true, known), there.clone()), Ok(()), "a PSP may have several names");
    assert!(judge(&shards(true, Some("file 1")), there).is_err());
    assert!(judge(&shards(true, known), file(Some("file 1"), Some(7), true)).is_err());
}

#[test]
fn a_control_store_of_another_system_is_refused_and_an_empty_one_is_not() {
    let (ours, other) = (system(7), system(8));
    for shards in [None, Some(&ours)] {
        assert_eq!(judge_control(shards, None), Ok(()));
        let refused = judge_control(shards, Some(&other)).unwrap_err().to_string();
        assert!(refused.contains(&other.to_string()) && refused.contains("control.database"), "{refused}");
    }
    assert_eq!(judge_control(Some(&ours), Some(&ours)), Ok(()));
}
