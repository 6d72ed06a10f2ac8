"""Choice sets are named after what declares them, once each."""

from systemadmin.foundation.enum_names import EnumNames, _name


def test_names_come_from_model_and_field():
    names = EnumNames()
    assert names["UserLanguageEnum"] == [("en", "English"), ("es", "Spanish")]
    assert len(names) == len(set(names)) == len(dict(names))


def test_a_shared_choice_set_has_one_name():
    sets = [frozenset(choices) for choices in EnumNames().values()]
    assert len(sets) == len(set(sets))


def test_a_taken_name_is_not_taken_twice():
    assert _name("Rule", "kind", {}) == "RuleKindEnum"
    assert _name("Rule", "kind", {"RuleKindEnum": []}) == "RuleKindEnum1"
