"""What an allocation must be, written a second time from its rules, without looking at how the library computes it.

Read in this order: `picture` (what is asked, as plain numbers), `filling` (the rules by the letter, in fractions),
`leximin` (the exact best by search and by integer programs), `judge` (what is wrong with an answer), `generator`
(random sites and demands from a seed), `campaign` (many of them, counted).
"""
