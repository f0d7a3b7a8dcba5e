"""Signing in and out; who people are is Django's affair."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import LoginView, LogoutView

from deployctl.web import throttle


class SignIn(LoginView):
    """Sign in; `next` is followed within this site only."""

    # Django's own serves PUT as if it were POST.
    http_method_names = ["get", "head", "post"]
    template_name = "registration/sign_in.html"
    redirect_authenticated_user = True

    def post(self, request: Any, *args: Any, **more: Any) -> Any:
        """Refuse to guess on and on: see `throttle`."""
        wait_seconds = throttle.take(request)
        if wait_seconds:
            return throttle.refusal(request, wait_seconds)
        return super().post(request, *args, **more)

    def form_valid(self, form: Any) -> Any:
        """Sign in; what succeeds was no guess."""
        throttle.give_back(self.request)
        return super().form_valid(form)

    def form_invalid(self, form: Any) -> Any:
        """Give the same answer whatever was wrong."""
        answer = super().form_invalid(form)
        answer.status_code = 422
        return answer

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Add where to go on, already checked by Django."""
        context: dict[str, Any] = super().get_context_data(**more)
        return {**context, "next": self.get_redirect_url()}


sign_in = SignIn.as_view()
sign_out = LogoutView.as_view()
