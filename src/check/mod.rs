//! Traps and rules across documents, one file each, in one table with their documentation.
