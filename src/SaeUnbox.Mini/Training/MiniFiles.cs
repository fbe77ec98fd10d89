namespace SaeUnbox.Mini.Training;

/// <summary>Names of what lies in a training's folder beside model and saes: what is known of them, and made anew with them.</summary>
public static class MiniFiles
{
    public const string Options = "options.json", Figures = "figures.json", Names = "names.json", Suggestions = "suggestions.json", Atlas = "atlas";
}
