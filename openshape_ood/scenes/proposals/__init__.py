"""Places of a scan that may be objects, found without classes."""

from openshape_ood.scenes.proposals.find import find_objects as find_objects
from openshape_ood.scenes.proposals.layout import Plane as Plane
from openshape_ood.scenes.proposals.result import Proposals as Proposals
