//! Every way in which the service may behave, in few combinations: each choice meets each other
//! choice in one of them.

use seawall::emulator::vijil::{
    ActiveEdit, AfterEdit, ClientIds, Consequences, Count, CreatedStatus, DeleteWithRules,
    Duplicates, NullUpdate, PatchedActive, RefusedActivation, SecondReview, VijilOrder,
};
use seawall::emulator::{Answer, FaultKind, Form, VijilBehaviour};

/// How a service behaves, and which call of a run fails, and how.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) behaviour: VijilBehaviour,
    pub(super) fault: Option<FaultKind>,
    /// Of the writes, from 1.
    pub(super) nth: usize,
}

/// A choice of one thing, by its number.
type Factor = (usize, Box<dyn Fn(&mut Setting, usize)>);

macro_rules! choices {
    ($($field:ident: $name:ident),+ $(,)?) => {
        vec![$(($name::ALL.len(), Box::new(|setting: &mut Setting, choice: usize| {
            setting.behaviour.$field = $name::ALL[choice];
        }) as Box<dyn Fn(&mut Setting, usize)>)),+]
    };
}

macro_rules! switches {
    ($($field:ident),+ $(,)?) => {
        vec![$((2, Box::new(|setting: &mut Setting, choice: usize| {
            setting.behaviour.$field = choice == 1;
        }) as Box<dyn Fn(&mut Setting, usize)>)),+]
    };
}

fn faults() -> Vec<Option<FaultKind>> {
    let refused = |status| Answer { form: Form::Detail, ..Answer::status(status) };
    vec![
        None,
        Some(FaultKind::LoseBefore),
        Some(FaultKind::LoseAfter),
        Some(FaultKind::Cut),
        Some(FaultKind::Refuse(refused(400))),
        Some(FaultKind::RefuseAfter(refused(503))),
        Some(FaultKind::ExpireTokens),
    ]
}

/// Exhaustive, so that a new switch is not forgotten here.
fn factors() -> Vec<Factor> {
    let VijilBehaviour {
        after_edit: _,
        second_review: _,
        refused_activation: _,
        rejected_rules_pass: _,
        active_edit: _,
        patched_active: _,
        only_drafts_activate: _,
        created_status: _,
        duplicates: _,
        client_ids: _,
        null_update: _,
        consequences: _,
        count: _,
        order: _,
        delete_with_rules: _,
        copies_without_rules: _,
        older_fields: _,
    } = VijilBehaviour::default();
    let mut factors: Vec<Factor> = choices! {
        after_edit: AfterEdit, second_review: SecondReview, refused_activation: RefusedActivation,
        active_edit: ActiveEdit, patched_active: PatchedActive, created_status: CreatedStatus, duplicates: Duplicates,
        client_ids: ClientIds, null_update: NullUpdate, consequences: Consequences, count: Count, order: VijilOrder,
        delete_with_rules: DeleteWithRules,
    };
    factors.extend(switches!(
        rejected_rules_pass,
        only_drafts_activate,
        copies_without_rules,
        older_fields
    ));
    factors.push((
        faults().len(),
        Box::new(|setting, choice| setting.fault = faults()[choice].clone()),
    ));
    factors.push((NTH, Box::new(|setting, choice| setting.nth = choice + 1)));
    factors
}

/// The calls of a run that are made to fail, one at a time.
const NTH: usize = 7;

/// Rows of choices in which each pair of choices of two things occurs: greedily, the row that has
/// most that are missing.
fn rows(sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut missing: Vec<(usize, usize, usize, usize)> = Vec::new();
    for one in 0..sizes.len() {
        for other in one + 1..sizes.len() {
            let pairs =
                (0..sizes[one]).flat_map(|a| (0..sizes[other]).map(move |b| (one, a, other, b)));
            missing.extend(pairs);
        }
    }
    let mut rows = Vec::new();
    while let Some(&(one, a, other, b)) = missing.first() {
        let mut row: Vec<Option<usize>> = vec![None; sizes.len()];
        (row[one], row[other]) = (Some(a), Some(b));
        for factor in 0..sizes.len() {
            if row[factor].is_some() {
                continue;
            }
            let gain = |choice: usize| {
                let found = missing.iter().filter(|(one, a, other, b)| {
                    (*one == factor && *a == choice && row[*other] == Some(*b))
                        || (*other == factor && *b == choice && row[*one] == Some(*a))
                });
                found.count()
            };
            row[factor] =
                (0..sizes[factor]).max_by_key(|choice| (gain(*choice), std::cmp::Reverse(*choice)));
        }
        let row: Vec<usize> = row.into_iter().map(Option::unwrap).collect();
        missing.retain(|(one, a, other, b)| row[*one] != *a || row[*other] != *b);
        rows.push(row);
    }
    rows
}

pub(super) fn settings() -> Vec<Setting> {
    let factors = factors();
    let sizes: Vec<usize> = factors.iter().map(|(size, _)| *size).collect();
    let setting = |row: Vec<usize>| {
        let mut setting = Setting { behaviour: VijilBehaviour::default(), fault: None, nth: 1 };
        factors.iter().zip(row).for_each(|((_, choose), choice)| choose(&mut setting, choice));
        setting
    };
    rows(&sizes).into_iter().map(setting).collect()
}

#[test]
fn each_pair_of_choices_occurs_in_few_combinations() {
    let sizes = [3, 2, 3, 2, 7, 7];
    let rows = rows(&sizes);
    for one in 0..sizes.len() {
        for other in one + 1..sizes.len() {
            for (a, b) in (0..sizes[one]).flat_map(|a| (0..sizes[other]).map(move |b| (a, b))) {
                assert!(
                    rows.iter().any(|row| row[one] == a && row[other] == b),
                    "{one} {a} {other} {b}"
                );
            }
        }
    }
    assert!(settings().len() < 80, "{}", settings().len());
}
