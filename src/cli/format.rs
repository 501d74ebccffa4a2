//! Output formats that several commands share.

/// The formats of a result that is also discussed where changes are reviewed.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    Human,
    /// For pull requests, issues and job summaries
    Markdown,
    /// One JSON object
    Json,
}

/// The formats of an answer.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(super) enum AnswerFormat {
    /// For people
    Human,
    /// One JSON object
    Json,
}
