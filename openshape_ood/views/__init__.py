"""RGB-D views: where a name lies in an image, lifted to 3D, and completed where it is hidden."""

from openshape_ood.views.files import load_view as load_view
from openshape_ood.views.files import save_view as save_view
from openshape_ood.views.lifting import Lifted as Lifted
from openshape_ood.views.lifting import lift as lift
from openshape_ood.views.view import View as View
from openshape_ood.views.view import ViewWarning as ViewWarning
