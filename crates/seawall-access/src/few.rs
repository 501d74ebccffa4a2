//! A list of mostly one entry, of which there may be millions.

/// A list that takes no memory of its own for up to one entry.
#[derive(Debug, Default)]
pub(super) enum Few<T> {
    #[default]
    None,
    One(T),
    Several(Vec<T>),
}

impl<T: Copy> Few<T> {
    pub(super) fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(all) => all,
        }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.as_slice().iter()
    }

    pub(super) fn push(&mut self, entry: T) {
        match self {
            Self::None => *self = Self::One(entry),
            Self::One(first) => *self = Self::Several(vec![*first, entry]),
            Self::Several(all) => all.push(entry),
        }
    }
}
