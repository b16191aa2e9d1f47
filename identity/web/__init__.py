"""The pages for people: forms, cookies, words, and the citizen's way in.

How another file adds a page
----------------------------
A section is a set of pages with its own words and templates. It gets the shell and returns a router::

    # identity/operators/pages.py
    from identity.web.shell import Form, Response, Shell, Visit

    def router(shell: Shell, counter: Counter) -> APIRouter:
        section = shell.section("identity.operators", words=WORDS)  # identity/operators/templates

        @section.page("/counter/{case}")                 # GET; demands a session unless anyone=True
        def case_page(visit: Visit) -> Response:
            case = counter.case(visit.session.person_id, visit.parameter("case"))
            return visit.show("case.html", title="case_heading", case=case)

        @section.form("/counter/{case}")                 # POST; origin and CSRF token are checked before
        def case_posted(visit: Visit, form: Form) -> Response:
            name = form.text("name", most=120)
            if not name:
                return visit.show("case.html", title="case_heading", errors={"name": "name_missing"}, ...)
            counter.open(...)
            return visit.go("/counter")                  # 303

        return section.router

Endpoints are plain functions and run on a worker thread. Raise the slice's typed errors: they become pages
with the status that the table of problems gives them; :class:`identity.web.errors.LoginNeeded` and a demand
for step-up become the way there and back.

The template extends ``page.html`` and builds its form from the macros of ``fields.html``::

    {% extends "page.html" %}
    {% from "fields.html" import form, field, button with context %}
    {% block content %}
    {% call form("/counter/" ~ case.id) %}
    {{ field("name", t.name_label, hint=t.name_hint, autocomplete="name") }}
    {{ button(t.save) }}
    {% endcall %}
    {% endblock %}

``form`` writes the CSRF token, ``field`` the label, the hint, what was typed before, and the error beside it.
Titles, errors and notices are keys of the words or finished sentences. Words are
``{"id": {key: text}, "en": {key: text}}``; the shell's own (:mod:`identity.web.words`) are always there. A
test holds the two languages against each other: :func:`identity.web.words.same_shape`.
"""
