//! The simulation judged by the project's own statistics (RL-17): the true mechanisms are not contradicted, and each broken one is. Seeds
//! are fixed, so a verdict never changes; a fresh seed would contradict a right mechanism with a probability below 3·10⁻⁵.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crypto::secret::Secret;
use std::collections::BTreeMap;
use tessera_mailbox::budget::plan::{Cascade, Topology};
use tessera_mailbox::budget::{PrivacyBudget, Spending};
use tessera_mailbox::cover::sample::Stream;
use tessera_mailbox::cover::{self, Cover, Mechanism, Ratio, noise_stream};
use tessera_mailbox::simulation::description::{Description, DescriptionError};
use tessera_mailbox::simulation::judge::{Samples, Verdict, judge};
use tessera_mailbox::simulation::{Load, Place, Setting, SettingError, Simulation, View, World};

fn setting(epsilon: &str, spending: Spending, view: View) -> Setting {
    Setting {
        rounds: 60_000,
        users: 100,
        cascade: Cascade::new(3, Topology::Ring, None).unwrap(),
        buckets: 2,
        budget: PrivacyBudget::new(epsilon.parse().unwrap(), "1e-6".parse().unwrap(), 1).unwrap(),
        spending,
        noise_in_full: false,
        load: Load::Binomial("0.2".parse().unwrap()),
        worlds: [Place::Null, Place::Bucket(0)],
        breached: None,
        view: Some(view),
        seed: [42; 32],
    }
}

fn verdict(simulation: &Simulation) -> Verdict {
    let samples = |world| Samples::of(simulation.world(world));
    judge(simulation, &samples(World::A), &samples(World::B))
}

fn is_not_contradicted(setting: Setting) -> Verdict {
    let simulation = Simulation::new(setting).unwrap();
    let verdict = verdict(&simulation);
    assert_eq!(verdict.contradicted, Vec::<String>::new(), "{:?}", simulation.setting());
    verdict
}

#[test]
fn the_laplace_mechanism_is_not_contradicted_at_0_1_0_5_and_1_in_the_count_view() {
    for epsilon in ["0.1", "0.5", "1"] {
        is_not_contradicted(setting(epsilon, Spending::PerEvent, View::Count));
    }
}

#[test]
fn the_gaussian_mechanism_is_not_contradicted_at_0_1_0_5_and_1_in_the_count_view() {
    for epsilon in ["0.1", "0.5", "1"] {
        is_not_contradicted(setting(epsilon, Spending::Total, View::Count));
    }
}

#[test]
fn no_mechanism_is_contradicted_in_the_unfilled_view() {
    is_not_contradicted(setting("0.1", Spending::PerEvent, View::Unfilled));
    is_not_contradicted(setting("0.5", Spending::Total, View::Unfilled));
    is_not_contradicted(setting("1", Spending::PerEvent, View::Unfilled));
}

#[test]
fn what_is_published_is_m_and_nothing_else() {
    for epsilon in ["0.1", "0.5", "1"] {
        let verdict = is_not_contradicted(setting(epsilon, Spending::PerEvent, View::Published));
        assert_eq!((verdict.epsilon_joint, verdict.epsilon_bucket), (0.0, 0.0));
    }
    let honest_last = Setting { breached: Some(vec![1, 2]), ..setting("1", Spending::Total, View::Count) };
    let simulation = Simulation::new(Setting { rounds: 100, ..honest_last }).unwrap();
    let rows = simulation.plan().rows;
    assert!(simulation.world(World::B).all(|row| row.buckets == [rows, rows] && row.null == 0));
    assert_eq!(simulation.event_loss(1e-6).joint, Some(0.0));
}

#[test]
fn the_last_hops_own_view_less_its_own_noise_is_not_contradicted() {
    let last_alone = Setting { breached: Some(vec![3]), ..setting("0.5", Spending::Total, View::Count) };
    let simulation = Simulation::new(last_alone.clone()).unwrap();
    assert_eq!(simulation.noise_hops(), 2);
    is_not_contradicted(Setting { rounds: 20_000, ..last_alone });
}

#[test]
fn a_substitution_between_two_buckets_is_not_contradicted() {
    let fixed = Setting {
        worlds: [Place::Bucket(0), Place::Bucket(1)],
        load: Load::Fixed(10),
        ..setting("0.5", Spending::PerEvent, View::Count)
    };
    let verdict = is_not_contradicted(fixed);
    // At ε = 0.5 the loss is real: the test has the power to see most of it.
    assert!(verdict.epsilon_joint > 0.25, "{}", verdict.epsilon_joint);
}

#[test]
fn one_relay_loses_nothing_about_where_and_the_stated_part_about_whether() {
    let one = |worlds, noise_in_full| Setting {
        cascade: Cascade::new(1, Topology::Ring, None).unwrap(),
        buckets: 1,
        load: Load::Fixed(10),
        noise_in_full,
        worlds,
        view: None,
        ..setting("0.5", Spending::PerEvent, View::Count)
    };
    let where_to = [Place::Null, Place::Bucket(0)];
    let simulation = Simulation::new(one(where_to, false)).unwrap();
    assert_eq!((simulation.view(), simulation.claim()), (View::Unfilled, (0.0, 0.0)));
    let rows: Vec<_> =
        simulation.world(World::A).take(50).chain(simulation.world(World::B).take(50)).collect();
    assert!(rows.iter().all(|row| row.buckets == [100] && row.swap == 0));
    let presence = is_not_contradicted(one([Place::Offline, Place::Bucket(0)], true));
    assert!(presence.epsilon_bucket > 0.3, "{}", presence.epsilon_bucket);
    let bare = Setting { rounds: 1_000, ..one([Place::Offline, Place::Bucket(0)], false) };
    assert!(
        !verdict(&Simulation::new(bare).unwrap()).contradicted.is_empty(),
        "without covers presence is plain"
    );
}

/// A mechanism that is broken in one way, as RL-17 lists them.
fn mutant(setting: Setting, noise: impl Fn(&mut Stream, &Cover, u64) -> u32) -> Verdict {
    judged(Setting { rounds: 20_000, ..setting }, noise)
}

/// As many rounds as the setting says, with this noise in the place of the hop's.
fn judged(setting: Setting, noise: impl Fn(&mut Stream, &Cover, u64) -> u32) -> Verdict {
    let simulation = Simulation::new(setting).unwrap();
    let samples = |world| {
        Samples::of(simulation.world_with(world, |seed: &Secret<[u8; 32]>, cover, loads| {
            let mut stream = noise_stream(seed);
            loads.iter().map(|load| noise(&mut stream, cover, *load)).collect()
        }))
    };
    let (a, b) = (samples(World::A), samples(World::B));
    judge(&simulation, &a, &b)
}

fn both(view: View) -> [Setting; 2] {
    [setting("0.5", Spending::PerEvent, view), setting("0.5", Spending::Total, view)]
}

#[test]
fn the_judge_passes_a_mutant_that_changes_nothing() {
    for setting in both(View::Count) {
        assert!(mutant(setting, |stream, cover, _| cover.draw(stream)).contradicted.is_empty());
    }
}

#[test]
fn noise_without_its_shift_is_caught_by_a_bound_of_epsilon() {
    for setting in both(View::Count) {
        let fixed = Setting { load: Load::Fixed(10), ..setting };
        let verdict =
            mutant(fixed, |stream, cover, _| Cover::new(cover.mechanism(), 0).unwrap().draw(stream));
        assert!(verdict.epsilon_bucket > 1.0, "{}", verdict.epsilon_bucket);
        assert!(!verdict.contradicted.is_empty());
    }
}

#[test]
fn half_the_noise_is_caught() {
    for setting in both(View::Count) {
        let verdict = mutant(setting, |stream, cover, _| {
            let half = match cover.mechanism() {
                Mechanism::Gaussian { sigma2 } => Mechanism::Gaussian { sigma2: sigma2 / 4 },
                Mechanism::Laplace { epsilon_b: Ratio { num, den } } => {
                    Mechanism::Laplace { epsilon_b: Ratio { num: 2 * num, den } }
                }
            };
            Cover::new(half, u64::from(cover.shift())).unwrap().draw(stream)
        });
        assert!(!verdict.contradicted.is_empty());
    }
}

#[test]
fn a_constant_number_of_covers_is_caught() {
    for setting in both(View::Count) {
        let fixed = Setting { load: Load::Fixed(10), ..setting };
        let verdict = mutant(fixed, |_, cover, _| cover.shift());
        assert!(verdict.epsilon_bucket > 5.0 && verdict.epsilon_joint > 5.0);
    }
}

#[test]
fn covers_in_proportion_to_the_load_are_caught() {
    for setting in both(View::Count) {
        // The same covers on average, as the mean load of a bucket is 10.
        let verdict =
            mutant(setting, |stream, cover, load| cover.draw(stream) * u32::try_from(load).unwrap() / 10);
        assert!(!verdict.contradicted.is_empty());
    }
}

#[test]
fn the_right_spread_with_the_wrong_law_is_caught() {
    // A Gaussian of the Laplace law's variance: 2q/(1 − q)² = 31.8 at ε_b = 1/4.
    let laplace = setting("0.5", Spending::PerEvent, View::Count);
    let normal = mutant(laplace, |stream, cover, _| {
        Cover::new(Mechanism::Gaussian { sigma2: 32 }, u64::from(cover.shift())).unwrap().draw(stream)
    });
    assert!(!normal.contradicted.is_empty() && normal.fit < 1e-6);
    // A Laplace of the Gaussian's variance 161: 2/ε_b² = 161 at ε_b = 0.1115.
    let gaussian = setting("0.5", Spending::Total, View::Count);
    let pointed = mutant(gaussian, |stream, cover, _| {
        let law = Mechanism::Laplace { epsilon_b: Ratio { num: 1_115, den: 10_000 } };
        Cover::new(law, u64::from(cover.shift())).unwrap().draw(stream)
    });
    assert!(!pointed.contradicted.is_empty() && pointed.fit < 1e-6);
}

#[test]
fn noise_that_is_drawn_once_for_two_places_is_caught() {
    let simulation =
        Simulation::new(Setting { load: Load::Fixed(10), ..setting("0.5", Spending::Total, View::Count) })
            .unwrap();
    let samples =
        |world| {
            Samples::of(simulation.world_with(world, |seed, cover, loads| {
                vec![cover.draw(&mut noise_stream(seed)); loads.len()]
            }))
        };
    let verdict = judge(&simulation, &samples(World::A), &samples(World::B));
    assert!(verdict.epsilon_joint > 5.0, "the common noise cancels in the swap");
}

/// One relay, whose covers hide whether one client was online in a round; nine others are its background load.
fn one_relay(epsilon: &str, spending: Spending, view: View) -> Setting {
    Setting {
        users: 10,
        cascade: Cascade::new(1, Topology::Ring, None).unwrap(),
        buckets: 1,
        noise_in_full: true,
        worlds: [Place::Offline, Place::Bucket(0)],
        ..setting(epsilon, spending, view)
    }
}

#[test]
fn one_relay_is_not_contradicted_at_0_1_0_5_and_1_in_any_of_its_views() {
    for epsilon in ["0.1", "0.5", "1"] {
        for spending in [Spending::PerEvent, Spending::Total] {
            let busy = Setting { users: 1_000, ..one_relay(epsilon, spending, View::Unfilled) };
            let verdict = is_not_contradicted(busy);
            // Of a smaller loss, or one within a Gaussian's total, so few rounds may show nothing.
            if spending == Spending::PerEvent && epsilon != "0.1" {
                assert!(verdict.epsilon_bucket > 0.2, "{epsilon}: {verdict:?}");
            }
            // The live relay's own view, and what is published: nothing is seen in either.
            for view in [View::Count, View::Published] {
                let verdict = is_not_contradicted(one_relay(epsilon, spending, view));
                assert_eq!((verdict.epsilon_joint, verdict.epsilon_bucket), (0.0, 0.0));
            }
        }
    }
}

/// Noise in the place of the hop's; it is given the load of its place, and what that load is on average.
type Noise = fn(&mut Stream, &Cover, u64, u64) -> u32;

/// The broken mechanisms of RL-17.
const BROKEN: [(&str, Noise); 5] = [
    ("no shift", |stream, cover, _, _| Cover::new(cover.mechanism(), 0).unwrap().draw(stream)),
    ("half the noise", |stream, cover, _, _| {
        let half = match cover.mechanism() {
            Mechanism::Gaussian { sigma2 } => Mechanism::Gaussian { sigma2: sigma2.div_ceil(4) },
            Mechanism::Laplace { epsilon_b: Ratio { num, den } } => {
                Mechanism::Laplace { epsilon_b: Ratio { num: 2 * num, den } }
            }
        };
        Cover::new(half, u64::from(cover.shift())).unwrap().draw(stream)
    }),
    ("a constant", |_, cover, _, _| cover.shift()),
    ("in proportion to the load", |stream, cover, load, mean| {
        u32::try_from(u64::from(cover.draw(stream)) * load / mean).unwrap()
    }),
    ("the right spread of the wrong law", |stream, cover, _, _| {
        let wrong = match cover.mechanism() {
            // 2q/(1 − q)² is the variance of the discrete Laplace law.
            Mechanism::Laplace { epsilon_b: Ratio { num, den } } => {
                let q = (-(num as f64) / den as f64).exp();
                Mechanism::Gaussian { sigma2: ((2.0 * q / (1.0 - q).powi(2)).round() as u64).max(1) }
            }
            Mechanism::Gaussian { sigma2 } => {
                let num = ((2.0 / sigma2 as f64).sqrt() * 1e6).round() as u64;
                Mechanism::Laplace { epsilon_b: Ratio { num, den: 1_000_000 } }
            }
        };
        Cover::new(wrong, u64::from(cover.shift())).unwrap().draw(stream)
    }),
];

fn every_broken_mechanism_is_told(setting: &Setting, mean_load: u64) {
    for (name, noise) in BROKEN {
        let verdict = judged(setting.clone(), |stream, cover, load| noise(stream, cover, load, mean_load));
        assert!(!verdict.contradicted.is_empty(), "{name} was believed: {setting:?}");
    }
    assert!(judged(setting.clone(), |stream, cover, _| cover.draw(stream)).contradicted.is_empty());
}

#[test]
fn every_broken_mechanism_of_one_relay_is_told() {
    for spending in [Spending::PerEvent, Spending::Total] {
        let setting = Setting { rounds: 20_000, ..one_relay("0.5", spending, View::Unfilled) };
        every_broken_mechanism_is_told(&setting, 9);
    }
}

#[test]
#[ignore = "slow: 60,000 rounds of every broken mechanism, at every epsilon, take most of a minute in a debug build"]
fn every_broken_mechanism_is_told_in_60_000_rounds_at_0_1_0_5_and_1() {
    std::thread::scope(|scope| {
        for epsilon in ["0.1", "0.5", "1"] {
            for spending in [Spending::PerEvent, Spending::Total] {
                scope.spawn(move || {
                    every_broken_mechanism_is_told(&one_relay(epsilon, spending, View::Unfilled), 9);
                });
            }
        }
    });
}

#[test]
#[ignore = "slow: the same behind three hops, with a background load that is drawn"]
fn every_broken_mechanism_behind_three_hops_is_told_in_60_000_rounds_at_0_1_0_5_and_1() {
    std::thread::scope(|scope| {
        for epsilon in ["0.1", "0.5", "1"] {
            for spending in [Spending::PerEvent, Spending::Total] {
                scope.spawn(move || {
                    every_broken_mechanism_is_told(&setting(epsilon, spending, View::Count), 10);
                });
            }
        }
    });
}

#[test]
fn one_seed_gives_the_same_rows_and_another_does_not() {
    let rows = |seed: u8| {
        let setting = Setting { rounds: 100, seed: [seed; 32], ..setting("1", Spending::Total, View::Count) };
        Simulation::new(setting).unwrap().world(World::A).collect::<Vec<_>>()
    };
    assert_eq!(rows(1), rows(1));
    assert_ne!(rows(1), rows(2));
}

#[test]
fn the_noise_is_that_of_the_hop() {
    let setting =
        Setting { rounds: 100, load: Load::Fixed(10), ..setting("1", Spending::Total, View::Count) };
    let simulation = Simulation::new(setting).unwrap();
    let seen = std::cell::RefCell::new(Vec::new());
    let spied: Vec<_> = simulation
        .world_with(World::A, |seed, cover, _| {
            let covers = cover::noise(seed, cover, 2, 1).pop().unwrap();
            seen.borrow_mut().push(covers.clone());
            covers
        })
        .collect();
    assert_eq!(spied, simulation.world(World::A).collect::<Vec<_>>());
    for (row, covers) in spied.iter().zip(seen.into_inner()) {
        assert_eq!(row.buckets[0] - 10, u64::from(covers[0]));
        // 99 others, 20 of them real, and the target's null cell.
        assert_eq!(row.null - 80, u64::from(covers[2]));
        assert_eq!(row.swap, row.buckets[0] as i64 - row.null as i64);
    }
}

#[test]
fn settings_that_do_not_fit_are_refused_by_name() {
    let base = || setting("1", Spending::Total, View::Count);
    let refused = |setting| Simulation::new(setting).unwrap_err();
    assert_eq!(refused(Setting { rounds: 99, ..base() }), SettingError::Rounds(99));
    assert_eq!(refused(Setting { buckets: 257, ..base() }), SettingError::Buckets(257));
    let load = Load::Fixed(50);
    assert_eq!(refused(Setting { load, ..base() }), SettingError::Load { cells: 100, others: 99 });
    let load = Load::Binomial("1.5".parse().unwrap());
    assert!(matches!(refused(Setting { load, ..base() }), SettingError::Chance(_)));
    let worlds = [Place::Null, Place::Bucket(2)];
    assert_eq!(refused(Setting { worlds, ..base() }), SettingError::Place(2, 2));
    let worlds = [Place::Offline, Place::Bucket(0)];
    assert_eq!(refused(Setting { worlds, ..base() }), SettingError::Offline);
    for breached in [vec![0], vec![4], vec![2, 2]] {
        assert!(matches!(
            refused(Setting { breached: Some(breached), ..base() }),
            SettingError::Breached { hops: 3, .. }
        ));
    }
    assert_eq!(refused(Setting { breached: Some(vec![1, 2, 3]), ..base() }), SettingError::AllBreached);
}

#[test]
fn a_description_reads_back_as_it_was_written() {
    let simulation = Simulation::new(setting("0.1", Spending::PerEvent, View::Count)).unwrap();
    let files = BTreeMap::from([("world-a/null.txt".to_owned(), "00".repeat(32))]);
    let written = Description::of(&simulation, "0.1.0", files);
    let text = serde_json::to_string(&written).unwrap();
    assert_eq!(Description::parse(text.as_bytes()).unwrap(), written);
    assert!(text.contains(
        r#""mechanism":{"kind":"laplace","epsilon_b":{"num":1,"den":20},"shift":277,"clamp":0},"noise_hops":1,"claim":{"epsilon":0.1,"delta":1e-6,"events":1}"#
    ), "{text}");
    assert_eq!(
        (written.load.as_str(), written.fixed_load, written.world_b.as_str()),
        ("binomial:0.2", None, "bucket:0")
    );
    let joint = written.event.joint.epsilon.unwrap();
    assert!(joint < 0.1 && joint > 0.09, "{joint}");
}

#[test]
fn a_description_that_is_none_is_refused_by_its_fault() {
    let simulation = Simulation::new(setting("1", Spending::Total, View::Count)).unwrap();
    let with = |path: &str, digest: String| {
        let files = BTreeMap::from([(path.to_owned(), digest)]);
        Description::parse(&serde_json::to_vec(&Description::of(&simulation, "0.1.0", files)).unwrap())
    };
    let good = "00".repeat(32);
    assert!(with("world-b/bucket-0001.txt", good.clone()).is_ok());
    for path in ["world-a/../x.txt", "/etc/passwd", "world-c/null.txt", "world-a/.txt", "simulation.json"] {
        assert_eq!(with(path, good.clone()), Err(DescriptionError::File(path.to_owned())));
    }
    assert!(matches!(with("world-a/null.txt", "00".to_owned()), Err(DescriptionError::File(_))));
    assert_eq!(Description::parse(&vec![b' '; 1 << 18]), Err(DescriptionError::Size));
    assert!(matches!(Description::parse(b"{}"), Err(DescriptionError::Json(_))));
}

/// Rows about counts alone: the other rooms of the Relay see to their own.
#[test]
fn the_rows_of_relay_md_name_tests_that_stand() {
    let (page, own) = (
        include_str!("../../../docs/checks/relay.md"),
        [include_str!("budget.rs"), include_str!("simulation.rs")],
    );
    for id in ["RL-7", "RL-8", "RL-17"] {
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with(&format!("| {id} |"))).collect();
        assert!(!rows.is_empty(), "{id}");
        for name in rows.iter().flat_map(|row| row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2))
        {
            assert!(own.iter().any(|source| source.contains(&format!("fn {name}()"))), "{name}");
        }
    }
}
