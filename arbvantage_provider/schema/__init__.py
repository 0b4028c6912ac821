"""Types to validators, and validation errors to violations.

``declared`` compiles what an action declares into a ``Schema``; ``legacy`` knows
the dict form, ``signature`` a function's parameters, ``leaves`` the plain types,
``classes`` those of the user, which ``tighten`` makes strict; ``objects`` knows what
takes an object; ``document`` reads strict JSON; ``violations`` says what does not fit.
"""
