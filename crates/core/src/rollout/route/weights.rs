//! Dividing one share of a weighted list without changing any other proportion.

/// The weights of a backend: what stays with stable, and what the candidate gets where the backend is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Weight of stable, or of a backend that isn't ours.
    pub(super) stable: u64,
    /// Weight of the candidate; `None` where the backend isn't ours.
    pub(super) candidate: Option<u64>,
}

/// Gives the candidate `percent` (0 to 100) of each weight that is ours. All weights are scaled by the same
/// factor, which is 100 where that keeps them within `most`; `None` where no factor does.
pub(super) fn divide(weights: &[(u64, bool)], percent: u8, most: u64) -> Option<Vec<Share>> {
    let percent = u64::from(percent.min(100));
    let mut shares = Vec::with_capacity(weights.len());
    for (weight, ours) in weights {
        let whole = weight.checked_mul(100)?;
        let candidate = ours.then_some(weight * percent);
        shares.push(Share { stable: whole - candidate.unwrap_or(0), candidate });
    }
    let numbers = || shares.iter().flat_map(|share| [Some(share.stable), share.candidate]).flatten();
    if numbers().all(|number| number <= most) {
        return Some(shares);
    }
    let divisor = numbers().fold(0, gcd).max(1);
    let scaled: Vec<Share> = shares
        .iter()
        .map(|share| Share {
            stable: share.stable / divisor,
            candidate: share.candidate.map(|candidate| candidate / divisor),
        })
        .collect();
    let fits = scaled.iter().all(|share| share.stable.max(share.candidate.unwrap_or(0)) <= most);
    fits.then_some(scaled)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
