"""What is folded of answers in eight languages and ten layouts: no new word, nearly all quotes."""

from support.mail_parsing import parse_mail
from support.tests.mail_texts import mail
from support.tests.quote_corpus import LANGUAGES, LAYOUTS, OURS, answers


def shown_of(lines):
    raw = mail("\n".join(lines), subject="Re: Help", answers="<a@atalaya.test>")
    return parse_mail(raw, own=(OURS,)).text.split("\n")


def test_it_holds_eight_languages_and_ten_layouts():
    assert (len(LANGUAGES), len(LAYOUTS)) == (8, 10)


def test_no_new_word_is_hidden():
    for label, lines, new in answers():
        shown = shown_of(lines)
        assert [line for line in new if line not in shown] == [], label


def test_nine_of_ten_lines_are_rightly_shown_or_folded():
    right = total = 0
    wrong = []
    for label, lines, new in answers():
        shown = set(shown_of(lines))
        for line in (line for line in lines if line.strip()):
            total += 1
            is_right = (line in shown) == (line in new)
            right += is_right
            wrong += [] if is_right else [(label, line)]
    assert right / total >= 0.9, (right, total, wrong[:20])
