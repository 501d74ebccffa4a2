//! What differs between live and documents, and the way back into the documents.

mod command;
mod random;
mod undeclared;
mod vijil;
