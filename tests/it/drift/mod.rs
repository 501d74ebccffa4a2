//! What differs between live and documents, and the way back into the documents.

mod agents;
mod command;
mod random;
mod undeclared;
