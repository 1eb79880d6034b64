use proptest::prelude::*;

use super::super::weights::{Share, divide};

#[test]
fn a_single_backend_gets_percentages() {
    assert_eq!(divide(&[(1, true)], 5, 1_000_000), Some(vec![Share { stable: 95, candidate: Some(5) }]));
}

#[test]
fn large_weights_are_scaled_down_exactly_or_refused() {
    assert_eq!(
        divide(&[(1_000_000, true)], 10, 1_000_000),
        Some(vec![Share { stable: 9, candidate: Some(1) }])
    );
    // 999 983 and 999 979 are primes: nothing divides them both.
    assert_eq!(divide(&[(999_983, true), (999_979, false)], 1, 1_000_000), None);
    assert_eq!(divide(&[(u64::MAX, true)], 1, 1_000_000), None);
}

proptest! {
    #[test]
    fn every_proportion_is_kept(
        weights in prop::collection::vec((0u64..=1_000_000, any::<bool>()), 1..8),
        percent in 0u8..=100,
    ) {
        let Some(shares) = divide(&weights, percent, 1_000_000) else { return Ok(()) };
        let total = |share: &Share| u128::from(share.stable + share.candidate.unwrap_or(0));
        let before: u128 = weights.iter().map(|(weight, _)| u128::from(*weight)).sum();
        let after: u128 = shares.iter().map(total).sum();
        for ((weight, ours), share) in weights.iter().zip(&shares) {
            prop_assert_eq!(u128::from(*weight) * after, total(share) * before);
            prop_assert_eq!(*ours, share.candidate.is_some());
            if let Some(candidate) = share.candidate {
                prop_assert_eq!(u128::from(candidate) * 100, total(share) * u128::from(percent));
            }
            prop_assert!(share.stable <= 1_000_000 && share.candidate.unwrap_or(0) <= 1_000_000);
        }
    }

    #[test]
    fn small_weights_always_divide(weights in prop::collection::vec((0u64..=10_000, any::<bool>()), 1..16), percent in 0u8..=100) {
        prop_assert!(divide(&weights, percent, 1_000_000).is_some());
    }
}
