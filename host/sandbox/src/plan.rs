//! What a rule plans, checked.
use watchbell_contract::{Fault, Plan};

use crate::limits::{GRID_MAX, HISTORY_MAX};

/// The plan, or an error for the part that exceeds a limit.
pub(crate) fn check_plan(plan: Plan) -> Result<Plan, Vec<Fault>> {
    let grid = plan.grid.unwrap_or(GRID_MAX);
    let spans = [
        ("reads a history of", plan.history, HISTORY_MAX, "400d"),
        ("checks on a grid of", grid, GRID_MAX, "7d"),
    ];
    let mut faults: Vec<_> = spans
        .into_iter()
        .filter(|(_, span, most, _)| span > most)
        .map(|(does, span, _, most)| Fault {
            path: String::new(),
            message: format!("with these parameters the rule {does} {span}, more than the {most} allowed"),
        })
        .collect();
    if grid.is_zero() {
        let message = "with these parameters the rule checks on a grid of 0s: it takes 1ms or more".into();
        faults.push(Fault { path: String::new(), message });
    }
    if faults.is_empty() { Ok(plan) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use watchbell_contract::Duration;

    use super::*;

    #[test]
    fn a_plan_has_bounds_and_the_fault_says_the_value() {
        let day = 24 * 3_600_000;
        let plan = |history, grid| Plan { history: Duration(history), grid: Some(Duration(grid)) };
        let at_most = plan(400 * day, 7 * day);
        assert_eq!(check_plan(at_most), Ok(at_most));
        assert_eq!(check_plan(Plan { grid: None, ..at_most }), Ok(Plan { grid: None, ..at_most }));
        let faults = check_plan(plan(0, 0)).unwrap_err();
        assert_eq!(
            faults[0].message,
            "with these parameters the rule checks on a grid of 0s: it takes 1ms or more"
        );
        let faults = check_plan(plan(400 * day + 1, 8 * day)).unwrap_err();
        let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "with these parameters the rule reads a history of 400d1ms, more than the 400d allowed",
                "with these parameters the rule checks on a grid of 8d, more than the 7d allowed",
            ]
        );
    }
}
