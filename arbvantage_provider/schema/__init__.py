"""Types to validators, and validation errors to violations.

``declared`` compiles what an action declares into a ``Schema``; ``legacy`` knows
the dict form, ``signature`` a function's parameters, ``leaves`` the plain types;
``document`` reads strict JSON; ``violations`` says what does not fit.
"""
