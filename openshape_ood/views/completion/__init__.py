"""Completion: occupancy of whole objects, hidden parts included, from visible points with affinities to names."""

from openshape_ood.views.completion.complete import Completer as Completer
from openshape_ood.views.completion.complete import camera_frame as camera_frame
from openshape_ood.views.completion.complete import complete as complete
from openshape_ood.views.completion.complete import locate as locate
from openshape_ood.views.completion.field import Field as Field
from openshape_ood.views.completion.network import RELATIONS as RELATIONS
from openshape_ood.views.completion.result import CompletedView as CompletedView
from openshape_ood.views.completion.result import complete_view as complete_view
