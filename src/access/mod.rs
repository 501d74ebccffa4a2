//! Who may do what: matching, evaluation, exact comparison of two states, access tests.
