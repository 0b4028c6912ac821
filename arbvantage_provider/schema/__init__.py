"""Types to validators, and validation errors to violations.

``compiled_schema`` compiles what an action declares into a ``CompiledSchema``;
``dict_schema`` knows the dict form, ``signature`` a function's parameters, ``scalars``
the plain types, ``classes`` those of the user, which ``strict_core`` makes strict;
``objects`` knows what takes an object; ``strict_json`` reads strict JSON;
``violations`` says what does not fit.
"""
