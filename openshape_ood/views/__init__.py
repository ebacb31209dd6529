"""RGB-D views: where a name lies in an image, lifted to 3D, and completed where it is hidden."""

from openshape_ood.views.view import View as View
from openshape_ood.views.view import ViewWarning as ViewWarning
