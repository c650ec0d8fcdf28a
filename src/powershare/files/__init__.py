"""Files to values and back: sites, demands, sessions, traces, and answers as JSON.

Every reader reports all problems of a file at once, as `FormatError` (the file), `TopologyError`
(the site it describes) or `DemandError`, and hands out nothing half read.
"""

from powershare.files.allocation_file import allocation_to_json, simulation_to_json
from powershare.files.demands_file import demands_from_data, demands_to_data, dump_demands, load_demands, loads_demands
from powershare.files.faults_file import faults_to_json
from powershare.files.norway import import_norway
from powershare.files.sessions_file import dump_sessions, load_sessions, loads_sessions
from powershare.files.site_file import dump_site, load_site, loads_site, site_from_data, site_to_data
from powershare.files.trace_file import Trace, TraceHeader, TraceWriter, merge_traces, read_trace

__all__ = [
    "Trace",
    "TraceHeader",
    "TraceWriter",
    "allocation_to_json",
    "demands_from_data",
    "demands_to_data",
    "dump_demands",
    "dump_sessions",
    "dump_site",
    "faults_to_json",
    "import_norway",
    "load_demands",
    "load_sessions",
    "load_site",
    "loads_demands",
    "loads_sessions",
    "loads_site",
    "merge_traces",
    "read_trace",
    "simulation_to_json",
    "site_from_data",
    "site_to_data",
]
