//! `seawall schema`: the JSON Schema of documents, for editors and other validators.

use super::{Context, Exit, Failure};
use crate::document::{self, KINDS};

const EXAMPLES: &str = "\
Examples:
  seawall schema > seawall.schema.json                 # for editors: all kinds
  seawall schema NetworkPolicy";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// One kind of document; without it, all of them in one schema
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(KINDS.iter().map(|kind| kind.name)), ignore_case = true)]
    kind: Option<String>,
}

pub(super) fn run(context: &Context, Args { kind }: &Args) -> Result<Exit, Failure> {
    let kind = kind
        .as_ref()
        .and_then(|name| KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name)));
    let schema = kind.map_or_else(document::schema, document::schema_of);
    context.print(&format!("{schema:#}\n"))?;
    Ok(Exit::Done)
}
