"""What the component exports: `componentize-py` looks for `Rule` here, and for `Run` in the module `rule`."""
# First, since it prepares the interpreter: there is no clock, no file and no standard output in a component.
from watchbell import component

import rule

Rule, rule.Run = component.exports(rule)
