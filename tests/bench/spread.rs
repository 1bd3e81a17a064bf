//! The middle and the ends of some figures, and how they are printed.

/// Of figures that were measured more than once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) lowest: f64,
    pub(crate) median: f64,
    pub(crate) highest: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_unstable_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or(f64::NAN);
        Self { lowest: at(0), median: at(figures.len() / 2), highest: at(figures.len().saturating_sub(1)) }
    }
}

/// Median, and the range behind it.
pub(crate) fn range(Spread { lowest, median, highest }: Spread, digits: usize) -> String {
    format!("{} ({} - {})", figure(median, digits), figure(lowest, digits), figure(highest, digits))
}

/// One of them; a dash where there is none.
pub(crate) fn figure(figure: f64, digits: usize) -> String {
    if figure.is_nan() { "-".to_owned() } else { format!("{figure:.digits$}") }
}
