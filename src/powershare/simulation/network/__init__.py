"""Networks of nodes in virtual time, under storms of faults, with every invariant looked at after every event."""

from powershare.simulation.network.campaign import Campaign, Outcome
from powershare.simulation.network.deeds import WORDS, Deed, parse
from powershare.simulation.network.faults import ABOUT, INSIDE, OUTSIDE, Storm, draw, names_of
from powershare.simulation.network.network import Network
from powershare.simulation.network.plan import plan
from powershare.simulation.network.shrink import MOST_RUNS, shrink
from powershare.simulation.network.stage import Theatre
from powershare.simulation.network.tally import Tally, percentile_ms, tally

__all__ = [
    "ABOUT",
    "INSIDE",
    "MOST_RUNS",
    "OUTSIDE",
    "WORDS",
    "Campaign",
    "Deed",
    "Network",
    "Outcome",
    "Storm",
    "Tally",
    "Theatre",
    "draw",
    "names_of",
    "parse",
    "percentile_ms",
    "plan",
    "shrink",
    "tally",
]
