/// Random numbers by a seed (SplitMix64), the same everywhere and for ever.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03);
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// How many of rare events happen, where so many are expected.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 60.0 {
            // Normal, by Box and Muller.
            let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
            let normal = radius * (std::f64::consts::TAU * self.unit()).cos();
            return (mean + mean.sqrt() * normal).round().max(0.0);
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0.0);
        while product > limit {
            product *= self.unit();
            count += 1.0;
        }
        count
    }

    /// The size of a clump, 1 or more, of this mean (geometric).
    pub fn clump(&mut self, mean: f64) -> f64 {
        if mean <= 1.0 {
            return 1.0;
        }
        let log = (1.0 - 1.0 / mean).ln();
        1.0 + ((1.0 - self.unit()).ln() / log).floor()
    }
}

#[test]
fn the_numbers_are_as_they_should_be() {
    let mut random = Random::new(1);
    let mean = |mut draw: Box<dyn FnMut() -> f64>| (0..20_000).map(|_| draw()).sum::<f64>() / 20_000.0;
    for expected in [0.3, 4.0, 200.0] {
        let mut own = Random::new(2);
        let found = mean(Box::new(move || own.poisson(expected)));
        assert!((found / expected - 1.0).abs() < 0.05, "{expected}: {found}");
    }
    let found = mean(Box::new(move || random.clump(20.0)));
    assert!((found / 20.0 - 1.0).abs() < 0.05, "{found}");
}
